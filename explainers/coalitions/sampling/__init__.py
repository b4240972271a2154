"""Which coalitions are sampled, and what their outputs say about Shapley values and their standard errors."""
