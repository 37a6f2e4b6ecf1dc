"""Arrays on a CUDA device, simulated or not."""

from __future__ import annotations

import numpy as np
import pytest

from gbdt_pairloss import _device
from gbdt_pairloss._device import is_on_device

from .engines import needs_device
from .simulator import SimulatedDevice, compiler


def on_a_device(test):
    """Run a test only where there is a CUDA device, and CuPy."""
    return pytest.mark.gpu(needs_device(test))


def simulate_cuda(monkeypatch) -> SimulatedDevice:
    """Let the package take a simulated device for CUDA's; ``asked`` lists the numbers of devices that it asks for."""
    if compiler is None:
        pytest.skip("no C++ compiler for the simulator")
    simulated = SimulatedDevice()
    simulated.asked = []
    monkeypatch.setattr(_device, "cuda_device", lambda ordinal=None: simulated.asked.append(ordinal) or simulated)
    monkeypatch.setattr(_device, "device_of", lambda array: simulated)
    monkeypatch.setattr(_device, "has_device", lambda: True)
    monkeypatch.setattr(_device, "may_have_device", lambda: True)
    return simulated


def assert_close(device_arrays, host_arrays) -> None:
    """Assert that arrays of a device are those of the host, up to float32's rounding."""
    for array, expected in zip(device_arrays, host_arrays, strict=True):
        assert is_on_device(array)
        assert not is_on_device(expected)
        assert array.dtype == expected.dtype
        assert array.shape == expected.shape
        np.testing.assert_allclose(array.get(), expected, rtol=0, atol=1e-6 * np.abs(expected).max())
