"""Engines sum over the ordered pairs of a plan: on the CPU, on CUDA devices, and as defined (``reference``)."""
