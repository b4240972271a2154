"""Plots of explanations, on matplotlib axes."""
