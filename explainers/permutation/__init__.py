"""PFIExplainer: the decrease of a model's score when a column is shuffled."""
