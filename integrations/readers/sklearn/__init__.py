"""Readers of scikit-learn's fitted objects, one file per kind of model."""
