"""Outputs of a model while the players of an example are removed in an order, and what they say about the order."""
