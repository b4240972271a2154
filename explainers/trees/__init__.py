"""Tree ensembles in one flat format: routing of rows, predictions, and exact Shapley values."""
