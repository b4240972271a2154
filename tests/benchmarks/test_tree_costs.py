"""Whether the choice between tables and walks is the fastest one, by processor time.

``pytest -m benchmark -n 0 -s tests/benchmarks/test_tree_costs.py``
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.datasets import load_breast_cancer

from automl_explain import describe
from automl_explain.explainers.trees import _tree_shap
from automl_explain.explainers.trees._tree_shap import Interventional
from automl_explain.explainers.trees.interventional._costs import TableChoice, choose_tables

WAYS = [TableChoice(bits, 1.0) for bits in (0, 6, 8, 10, 12)] + [TableChoice()]
LONGEST = 150_000
"""Most pairs of rows and background rows for which walks to all or most leaves are timed: they take longer from there on."""


def small() -> tuple[Any, np.ndarray]:
    X, y = load_breast_cancer(return_X_y=True)
    return LGBMClassifier(n_estimators=20, num_leaves=15, verbose=-1).fit(X, y), np.resize(X, (10_000, 30))


def medium() -> tuple[Any, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(10_000, 14))
    y = X[:, 0] * X[:, 1] + np.sin(3 * X[:, 2]) + X[:, 3] * (X[:, 4] > 0)
    return LGBMRegressor(n_estimators=100, num_leaves=31, verbose=-1).fit(X, y), X


@pytest.mark.benchmark
@pytest.mark.parametrize("example", [small, medium])
def test_the_chosen_way_is_nearly_the_fastest(example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, X = example()
    trees = describe(model).structure
    paths = Interventional(trees, X[:2])._paths
    for n_background in (20, 100, 1000):
        for n_rows in (1, 10, 143, 1000, 10_000):
            chosen = choose_tables(paths, n_rows, n_background, 1)
            short = n_rows * n_background <= LONGEST
            ways = {chosen, *(way for way in WAYS if short or way.most_bits >= 10)}
            spent = dict.fromkeys(ways, np.inf)
            for _ in range(5):  # in turns, so that other work on the machine disturbs all ways alike
                for way in ways:
                    monkeypatch.setattr(_tree_shap, "choose_tables", lambda *_, way=way: way)
                    start = time.process_time()
                    Interventional(trees, X[:n_background]).shap_values(X[-n_rows:], n_jobs=1)
                    spent[way] = min(spent[way], time.process_time() - start)
            ratio = spent[chosen] / min(spent.values())
            print(
                f"{example.__name__} B={n_background} rows={n_rows}: {chosen}, {spent[chosen] * 1e3:.2f} ms, {ratio:.2f}x"
            )
            assert ratio < 1.25, (n_background, n_rows, spent)
