"""Numba at work: compiled functions and their threads, blocks of rows side by side, Shapley weights."""
