"""The CUDA engine: the sources of the kernels, and the classes that launch them."""
