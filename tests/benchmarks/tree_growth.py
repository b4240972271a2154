"""How the cost of tree Shapley values grows with rows, background, trees, depth, columns and classes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import lightgbm
import numpy as np
from sklearn.ensemble import RandomForestClassifier

from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees._tree_shap import Interventional, PathDependent

N_JOBS = 2
BASE = {"rows": 4000, "background": 100, "trees": 100, "depth": 6, "columns": 16, "classes": 1}
SIZES = {
    "rows": [2000, 4000, 8000, 16_000],
    "background": [100, 200, 400, 800, 1600],
    "trees": [50, 100, 200],
    "depth": [2, 4, 8],
    "columns": [8, 16, 32, 64],
    "classes": [3, 6, 12],
}

EVERYWHERE = ("trees", "depth", "columns", "classes")
DEPENDS = {
    "path-dependent": ("rows", *EVERYWHERE),
    "tables of a background": ("background", *EVERYWHERE),
    "interventional": ("rows", "background", *EVERYWHERE),
}
"""What the cost of each work may depend on."""


def growth() -> Iterator[list[str]]:
    """Yield what grows, the work, its sizes, the processor seconds for each and the exponent of the fitted power law."""
    for axis, sizes in SIZES.items():
        measured: dict[str, list[float]] = {}
        for size in sizes:
            for work, seconds in measure(**(BASE | {axis: size})).items():
                measured.setdefault(work, []).append(seconds)
        for work, seconds in measured.items():
            if axis not in DEPENDS[work]:
                continue
            exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
            yield [
                axis, work, ", ".join(map(str, sizes)), ", ".join(f"{spent:.3f}" for spent in seconds), f"{exponent:.2f}"
            ]  # fmt: skip


def measure(rows: int, background: int, trees: int, depth: int, columns: int, classes: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, columns))
    structure = grown(trees, depth, columns, classes)
    others = rng.normal(size=(background, columns))
    path, over = PathDependent(structure), Interventional(structure, others)
    return {
        "path-dependent": least(lambda: path.shap_values(X, n_jobs=N_JOBS)),
        "tables of a background": least(lambda: Interventional(structure, others)),
        "interventional": least(lambda: over.shap_values(X, n_jobs=N_JOBS)),
    }


@cache
def grown(trees: int, depth: int, columns: int, classes: int) -> Trees:
    """Trees that use their whole depth and all columns."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(20_000, columns))
    y = (X * np.sin(3 * np.roll(X, 1, axis=1))).sum(axis=1) + rng.normal(size=len(X))
    model: Any
    if classes == 1:
        model = lightgbm.LGBMRegressor(
            n_estimators=trees, max_depth=depth, num_leaves=2**depth, min_child_samples=5, n_jobs=N_JOBS, verbose=-1
        ).fit(X, y)
    else:
        labels = np.digitize(y, np.quantile(y, np.linspace(0, 1, classes + 1)[1:-1]))
        model = RandomForestClassifier(trees, max_depth=depth, n_jobs=N_JOBS, random_state=0).fit(X, labels)
    structure = describe(model).structure
    assert isinstance(structure, Trees)
    return structure


def least(work: Callable[[], object], turns: int = 3) -> float:
    """Return the least processor time, over both threads: what else the machine does counts little."""
    spent = []
    for _ in range(turns):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)
