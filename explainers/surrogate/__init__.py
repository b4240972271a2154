"""MimicExplainer: explains a model by an interpretable surrogate that is trained on its predictions."""
