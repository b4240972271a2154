"""Exact Shapley values of trees over all rows of a background."""
