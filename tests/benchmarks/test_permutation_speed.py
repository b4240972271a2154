"""Permutation importance beside scikit-learn's: ``pytest -m benchmark -n 0 -s tests/benchmarks/test_permutation_speed.py``."""

import statistics
import time

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from automl_explain import PFIExplainer

N_ROWS, N_COLUMNS, N_REPEATS, TURNS = 2000, 20, 5, 5
# model, metrics, least ratio: 0.9 stands for "not slower" on a machine whose timings waver
CASES = {
    "LightGBM": (lightgbm.LGBMClassifier(verbose=-1, n_jobs=2), ("accuracy", "roc_auc", "neg_log_loss"), 4.0),
    "XGBoost": (xgboost.XGBClassifier(n_jobs=2), ("accuracy", "roc_auc"), 3.0),
    "HistGradientBoosting": (HistGradientBoostingClassifier(), ("roc_auc",), 1.2),
    "forest": (RandomForestClassifier(50, random_state=0), ("roc_auc",), 0.9),
    "logistic regression": (LogisticRegression(), ("accuracy", "roc_auc"), 0.9),
    "nearest neighbours": (KNeighborsClassifier(), ("accuracy",), 0.9),
    "network": (MLPClassifier((32,), max_iter=30, random_state=0), ("accuracy",), 0.9),
    "SVC": (SVC(), ("accuracy",), 0.9),
}


def timed(function):
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


@pytest.mark.benchmark
@pytest.mark.parametrize("case", CASES)
def test_the_same_numbers_sooner(case):
    X, y = make_classification(N_ROWS, N_COLUMNS, n_informative=10, random_state=0)
    model, metrics, least = CASES[case]
    model.fit(X, y)
    for metric in metrics:
        explainer = PFIExplainer(model, metric=metric, n_repeats=N_REPEATS)
        explainer.explain_global(X[:100], y[:100])  # compiles
        own, peer = [], []
        for _ in range(TURNS):
            seconds, mine = timed(lambda explainer=explainer: explainer.explain_global(X, true_labels=y))
            own.append(seconds)
            seconds, theirs = timed(
                lambda metric=metric: permutation_importance(
                    model, X, y, scoring=metric, n_repeats=N_REPEATS, random_state=0
                )
            )
            peer.append(seconds)
        np.testing.assert_array_equal(mine.importances, theirs.importances)
        ratio = statistics.median(peer) / statistics.median(own)
        print(f"\n{case}, {metric}: {statistics.median(own):.3f} s, scikit-learn {statistics.median(peer):.3f} s: "
              f"{ratio:.1f} times as fast", end="")  # fmt: skip
        assert ratio >= least
