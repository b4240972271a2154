"""Readers of neural networks, one file per framework; torch, TensorFlow and JAX are imported only for an object of theirs."""
