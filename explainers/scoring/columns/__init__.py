"""Columns of scoring explainers: their schema, rows as numbers and back, and preprocessing as arrays."""
