"""Speed of tree Shapley values beside their peers: ``python -m tests.benchmarks.bench_trees [word in a case's name ...]``.

Every case runs in this process on two threads, peers in their best setting, turns interleaved; the table gives medians per
row and the largest difference of values. ``woodelf`` is compared where it is installed.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import lightgbm
import numpy as np
import shap
import xgboost
from sklearn.ensemble import RandomForestRegressor

import automl_explain
from automl_explain.explainers._registry import describe
from automl_explain.explainers._tree_shap import Interventional, PathDependent
from automl_explain.explainers._trees import Trees

assert automl_explain.__version__  # registers the readers
N_JOBS = 2
N_ROWS, N_COLUMNS = 7500, 14
rng = np.random.default_rng(0)
X = rng.normal(size=(N_ROWS, N_COLUMNS))
y = X[:, 0] * X[:, 1] + np.sin(3 * X[:, 2]) + X[:, 3] * (X[:, 4] > 0) + 0.3 * rng.normal(size=N_ROWS)


@dataclass
class Case:
    """One row of the table."""

    name: str
    ours: Callable[[Any], Any]
    peer: Callable[[Any], Any]
    n_ours: int
    n_peer: int
    bar: float | None = None
    turns: int = 5
    ours_values: Callable[[Any], Any] = field(default=lambda values: values[0])
    peer_values: Callable[[Any], Any] = field(default=lambda values: values)


@cache
def fitted(kind: str) -> Any:
    models = {
        "lightgbm": lambda: lightgbm.LGBMRegressor(n_estimators=200, num_leaves=31, n_jobs=N_JOBS, verbose=-1),
        "xgboost": lambda: xgboost.XGBRegressor(n_estimators=200, max_depth=6, n_jobs=N_JOBS),
        "forest": lambda: RandomForestRegressor(100, max_leaf_nodes=500, n_jobs=N_JOBS, random_state=0),
        "full forest": lambda: RandomForestRegressor(50, max_features="sqrt", n_jobs=N_JOBS, random_state=0),
    }
    return models[kind]().fit(X, y)


@cache
def trees(kind: str) -> Trees:
    structure = describe(fitted(kind)).structure
    assert isinstance(structure, Trees)
    return structure


def first_columns(values: Any) -> Any:
    return values[:, :N_COLUMNS]


def path_dependent() -> Iterator[Case]:
    booster = fitted("lightgbm").booster_
    xgb = fitted("xgboost").get_booster()
    forest = shap.TreeExplainer(fitted("forest"))
    solve = {kind: PathDependent(trees(kind)) for kind in ("lightgbm", "xgboost", "forest")}

    def ours(kind: str) -> Callable[[Any], Any]:
        return lambda rows: solve[kind].shap_values(rows, n_jobs=N_JOBS)

    def lightgbm_values(rows: Any) -> Any:
        return booster.predict(rows, pred_contrib=True, num_threads=N_JOBS)

    def xgboost_values(rows: Any) -> Any:
        return xgb.predict(xgboost.DMatrix(rows, nthread=N_JOBS), pred_contribs=True)

    yield Case("path LightGBM / pred_contrib", ours("lightgbm"), lightgbm_values, N_ROWS, N_ROWS, 8, 3,
               peer_values=first_columns)  # fmt: skip
    yield Case("path XGBoost / pred_contribs", ours("xgboost"), xgboost_values, N_ROWS, N_ROWS, 6,
               peer_values=first_columns)  # fmt: skip
    yield Case("path forest / shap", ours("forest"), forest.shap_values, 2000, 60, 20, 3)
    for kind, peer in (("lightgbm", lightgbm_values), ("xgboost", xgboost_values), ("forest", forest.shap_values)):
        yield Case(f"path one row {kind}", ours(kind), peer, 1, 1, None, 31, peer_values=first_columns)


def interventional() -> Iterator[Case]:
    for kind, b, n_peer, bar in (
        ("lightgbm", 100, 40, 80), ("lightgbm", 1000, 6, 500), ("xgboost", 100, 40, None), ("forest", 100, 20, None),
        ("full forest", 100, 10, None),
    ):  # fmt: skip
        peer = shap.TreeExplainer(fitted(kind), shap.maskers.Independent(X[:b], max_samples=b))
        solve = Interventional(trees(kind), X[:b])

        def ours(rows: Any, solve: Interventional = solve) -> Any:
            return solve.shap_values(rows, n_jobs=N_JOBS)

        def theirs(rows: Any, peer: Any = peer) -> Any:
            return peer.shap_values(rows, check_additivity=False)

        n_ours = 200 if "full" in kind else 2000
        yield Case(f"interventional {kind} B={b} / shap", ours, theirs, n_ours, n_peer, bar, 3)
        if b == 100 and "full" not in kind:
            bar = 25 if kind == "lightgbm" else None
            yield Case(f"interventional one row {kind} B={b} / shap", ours, theirs, 1, 1, bar, 21)


def building() -> Iterator[Case]:
    for kind, b in (("lightgbm", 100), ("lightgbm", 1000), ("forest", 100)):

        def build_and_explain(rows: Any, kind: str = kind, b: int = b) -> Any:
            return Interventional(trees(kind), X[:b]).shap_values(rows, n_jobs=N_JOBS)

        def theirs(rows: Any, kind: str = kind, b: int = b) -> Any:
            masker = shap.maskers.Independent(X[:b], max_samples=b)
            return shap.TreeExplainer(fitted(kind), masker).shap_values(rows, check_additivity=False)

        n_peer = 40 if b == 100 else 6
        yield Case(f"tables and values {kind} B={b} / shap", build_and_explain, theirs, 2000, n_peer, None, 3)


def woodelf() -> Iterator[Case]:
    if importlib.util.find_spec("woodelf") is None:
        return
    import pandas as pd
    from woodelf.explainer import WoodelfExplainer

    names = fitted("lightgbm").booster_.feature_name()
    frame = pd.DataFrame(X, columns=names)
    for b in (100, 1000):

        def build_and_explain(rows: Any, b: int = b) -> Any:
            return Interventional(trees("lightgbm"), X[:b]).shap_values(rows, n_jobs=N_JOBS)

        def theirs(rows: Any, b: int = b) -> Any:
            explainer = WoodelfExplainer(fitted("lightgbm"), frame[:b], feature_perturbation="interventional")
            return explainer.shap_values(pd.DataFrame(rows, columns=names), verbose=False)

        yield Case(f"tables and values LightGBM B={b} / woodelf", build_and_explain, theirs, 2000, 2000, 5)
        solve = Interventional(trees("lightgbm"), X[:b])

        def ours(rows: Any, solve: Interventional = solve) -> Any:
            return solve.shap_values(rows, n_jobs=N_JOBS)

        yield Case(f"values LightGBM B={b} / woodelf", ours, theirs, 2000, 2000, 5)


def interactions() -> Iterator[Case]:
    if not hasattr(PathDependent, "interaction_values"):
        return
    for kind, n_peer, bar in (("lightgbm", 3, 20), ("xgboost", 3, 20), ("forest", 1, 20)):
        peer = shap.TreeExplainer(fitted(kind))
        solve = PathDependent(trees(kind))

        def ours(rows: Any, solve: PathDependent = solve) -> Any:
            return solve.interaction_values(rows, n_jobs=N_JOBS)

        yield Case(f"interactions path {kind} / shap", ours, peer.shap_interaction_values, 500, n_peer, bar, 3)
    xgb = fitted("xgboost").get_booster()

    def xgboost_values(rows: Any) -> Any:
        return xgb.predict(xgboost.DMatrix(rows, nthread=N_JOBS), pred_interactions=True)

    solved = PathDependent(trees("xgboost"))
    yield Case(
        "interactions path xgboost / its own", lambda rows: solved.interaction_values(rows, n_jobs=N_JOBS),
        xgboost_values, 500, 200, None, 3, peer_values=lambda values: values[:, :N_COLUMNS, :N_COLUMNS],
    )  # fmt: skip


def seconds(work: Callable[[Any], Any], rows: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work(rows)
    return time.perf_counter() - start, result


def run(case: Case) -> None:
    n = min(case.n_ours, case.n_peer)
    case.ours(X[:16])
    ours, theirs, difference = [], [], 0.0
    for _ in range(case.turns):
        spent, values = seconds(case.ours, X[: case.n_ours])
        ours.append(spent / case.n_ours)
        spent, peer = seconds(case.peer, X[: case.n_peer])
        theirs.append(spent / case.n_peer)
        difference = float(np.abs(case.ours_values(values)[:n] - case.peer_values(peer)[:n]).max())
    us, them = statistics.median(ours), statistics.median(theirs)
    bar = "" if case.bar is None else f">= {case.bar:g}"
    print(
        f"{case.name:48} {us * 1e6:11.1f} {them * 1e6:13.1f} {them / us:9.1f}x {bar:>8} {difference:10.1e}", flush=True
    )


def main(words: list[str]) -> None:
    print(f"{'case':48} {'us per row':>11} {'peer':>13} {'ratio':>10} {'bar':>8} {'max diff':>10}")
    for family in (path_dependent, interventional, building, woodelf, interactions):
        if words and not any(word in family.__name__ for word in words):
            continue
        for case in family():
            run(case)


if __name__ == "__main__":
    main(sys.argv[1:])
