"""Scoring explainers of models that have no form as data: bundles keep them as files, or they are passed to `load`."""
