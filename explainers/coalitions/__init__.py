"""The coalition game of a model: which coalitions are evaluated, and the value of each."""
