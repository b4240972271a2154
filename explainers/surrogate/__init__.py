"""MimicExplainer: an interpretable model trained on the predictions of another."""
