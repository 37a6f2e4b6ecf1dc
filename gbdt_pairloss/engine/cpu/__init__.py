"""Engines on the CPU: the loops over queries in C++, and the classes that call them."""
