"""Numba kernels: compilation and threads, vector operations on blocks of rows, array types, Shapley weights."""
