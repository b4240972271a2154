"""Descriptions of fitted models: outputs, structure, names and classes."""
