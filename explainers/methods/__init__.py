"""One file per way to compute Shapley values, and the table that chooses among them."""
