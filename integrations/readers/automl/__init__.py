"""Readers of other AutoML libraries' results: the sums and means of models that they are, over the user's own columns."""
