"""
How columns work together
=========================

The Shapley interaction values of a pair of columns say what the two contribute beyond their single contributions.
:func:`~automl_explain.plot_interactions` draws the mean absolute values of all pairs.
"""

from lightgbm import LGBMRegressor
from sklearn.datasets import load_diabetes

from automl_explain import TreeExplainer, plot_interactions

X, y = load_diabetes(return_X_y=True, as_frame=True)
model = LGBMRegressor(n_estimators=40, num_leaves=7, verbose=-1).fit(X, y)

explainer = TreeExplainer(model, X[:100])
plot_interactions(explainer.interaction_values(X[:60]), explainer.features)
