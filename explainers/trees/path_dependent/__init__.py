"""Exact Shapley values of trees without a background, from the training cover of each node."""
