"""Arrays of the host's and of CUDA devices': where one lives, and copies of it elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def is_on_device(array: Any) -> bool:
    """Whether an array is a CUDA device's: CuPy's, or of anything else that has its interface."""
    return hasattr(array, "__cuda_array_interface__")


def may_have_device() -> bool:
    """Whether it is worth asking for a CUDA device."""
    return _cuda().is_installed()  # type: ignore[no-any-return]


def has_device() -> bool:
    """Whether there is a CUDA device to compute on, and CuPy."""
    return _cuda().is_there()  # type: ignore[no-any-return]


def beside(array: Any) -> AbstractContextManager[Any]:
    """While this lasts, what is made on a device is made on that of an array."""
    return _cuda().device_of(array).selected() if is_on_device(array) else nullcontext()  # type: ignore[no-any-return]


def to_host(array: Any) -> Any:
    """An array of a device's as NumPy's; all else as it is."""
    return _cuda().device_of(array).download(array) if is_on_device(array) else array


def to_device(array: Any, ordinal: int | None = None) -> Any:
    """An array on the device of a number; None: where it is, or on CuPy's current one."""
    if ordinal is None and is_on_device(array):
        return array
    device = _cuda().cuda_device(ordinal)
    with device.selected():
        return device.upload(array)


def like(example: Any, *arrays: Any) -> tuple[Any, ...]:
    """Arrays where an example is."""
    with beside(example):
        return tuple(map(to_device if is_on_device(example) else to_host, arrays))


def _cuda() -> Any:
    from .engine.cuda import device  # here: engines read what is checked by what uses this module

    return device
