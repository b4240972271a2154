"""
How good the predictions are
============================

:func:`~automl_explain.plot_residuals` draws the residuals of a regression, truth minus prediction, over the predictions.
The scores and the rows with the largest errors are in :class:`~automl_explain.Performance`.
"""

from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor

from automl_explain import explain_model, plot_residuals

X, y = load_diabetes(return_X_y=True, as_frame=True)
model = RandomForestRegressor(50, random_state=0).fit(X[:300], y[:300])
explained = explain_model(model, X[:300], X[300:])

plot_residuals(explained.performance(y[300:]))
