"""
How values spread over rows
===========================

:func:`~automl_explain.plot_summary` has a point for each row and column. Its place is the contribution, its colour the value
in the column.
"""

from lightgbm import LGBMRegressor
from sklearn.datasets import load_diabetes

from automl_explain import explain_model, plot_summary

X, y = load_diabetes(return_X_y=True, as_frame=True)
model = LGBMRegressor(n_estimators=40, num_leaves=7, verbose=-1).fit(
    X[:300], y[:300]
)
explained = explain_model(model, X[:300], X[300:])

plot_summary(explained)
