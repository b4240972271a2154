"""How scikit-learn's fitted objects are read: one file per kind of model."""
