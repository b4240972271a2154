"""
Which member of an ensemble matters
===================================

:func:`~automl_explain.plot_member_shares` draws each feature's importance with a piece for each member of a vote or stack.
"""

from lightgbm import LGBMRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import (
    ExtraTreesRegressor,
    RandomForestRegressor,
    StackingRegressor,
)
from sklearn.linear_model import RidgeCV

from automl_explain import explain_model, plot_member_shares

X, y = load_diabetes(return_X_y=True, as_frame=True)
stack = StackingRegressor(
    [
        ("forest", RandomForestRegressor(50, random_state=0)),
        ("extra trees", ExtraTreesRegressor(50, random_state=0)),
        ("lgbm", LGBMRegressor(n_estimators=30, verbose=-1)),
    ],
    RidgeCV(),
).fit(X[:300], y[:300])
explained = explain_model(stack, X[:300], X[300:], members=True)

plot_member_shares(explained.members)
