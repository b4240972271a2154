"""Commands for scoring explainers and their bundles."""
