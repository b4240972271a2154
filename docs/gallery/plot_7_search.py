"""
What a search teaches
=====================

:func:`~automl_explain.plot_search_importance` draws the importance of each column over all runs that are nearly as good as the
best one; :func:`~automl_explain.plot_importance_history` draws it in the course of the search.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes

from automl_explain import (
    AutoMLConfig,
    Experiment,
    SearchExplanation,
    plot_importance_history,
    plot_search_importance,
)

X, y = load_diabetes(return_X_y=True, as_frame=True)
config = AutoMLConfig(
    X=X[:300],
    y=y[:300],
    X_valid=X[300:],
    y_valid=y[300:],
    engine="optuna",
    estimators=["lgbm", "rf"],
    max_iter=10,
)
finished = Experiment("progression").submit(config)
taught = SearchExplanation.from_runs(finished.runs)

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
plot_search_importance(taught, ax=left)
plot_importance_history(taught, ax=right)
