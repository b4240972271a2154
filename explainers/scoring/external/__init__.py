"""Scoring explainers of models that have no form as data: bundles store everything else; the model is passed to `load`."""
