"""Engines on the CPU: the Numba kernels, and the classes that call them."""
