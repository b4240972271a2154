"""
How one prediction comes about
==============================

:func:`~automl_explain.plot_local` goes from the base value, the mean output over the background, to the output of one row.
"""

from lightgbm import LGBMRegressor
from sklearn.datasets import load_diabetes

from automl_explain import explain_model, plot_local

X, y = load_diabetes(return_X_y=True, as_frame=True)
model = LGBMRegressor(n_estimators=40, num_leaves=7, verbose=-1).fit(
    X[:300], y[:300]
)
explained = explain_model(model, X[:300], X[300:])

plot_local(explained, 0)
