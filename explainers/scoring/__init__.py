"""Scoring explainers: models and their explainers as data, stored without pickle, that explain single rows at once."""
