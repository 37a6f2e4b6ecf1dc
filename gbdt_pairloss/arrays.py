"""Arrays of the host's and of a CUDA device's: where one lives, and copies of it elsewhere."""

from __future__ import annotations

from typing import Any


def is_on_device(array: Any) -> bool:
    """Whether an array is a CUDA device's: CuPy's, or of anything else that has its interface."""
    return hasattr(array, "__cuda_array_interface__")


def to_host(array: Any) -> Any:
    """An array of a device's as NumPy's; all else as it is."""
    if not is_on_device(array):
        return array
    device = _device()
    return device.download(device.upload(array))


def to_device(array: Any) -> Any:
    """An array on CuPy's current device."""
    return array if is_on_device(array) else _device().upload(array)


def has_device() -> bool:
    """Whether there is a CUDA device to compute on, and CuPy."""
    from .engine.cuda.device import is_there

    return is_there()


def like(example: Any, *arrays: Any) -> tuple[Any, ...]:
    """Arrays where an example is."""
    return tuple(map(to_device if is_on_device(example) else to_host, arrays))


def _device() -> Any:
    from .engine.cuda.device import cuda_device  # here: engines read what is checked by what uses this module

    return cuda_device()
