"""Engines on the CPU: Numba kernels, and what plans, calls and combines them."""
