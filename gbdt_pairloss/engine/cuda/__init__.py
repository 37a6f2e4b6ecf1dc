"""CUDA: the kernels' sources, and the device that runs them."""
