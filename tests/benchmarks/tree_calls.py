"""Calls of users, timed from the outside: `explain_local` and `explain_model`, with everything that they do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import shap
import xgboost
from lightgbm import LGBMClassifier
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier

from automl_explain import TabularExplainer, TreeExplainer, explain_model

TURNS = {1: 400, 10: 200, 100: 100, 1_000: 30, 10_000: 7, 100_000: 3, 1_000_000: 1}
"""Rows of a call -> number of timed calls."""
HEADINGS = [
    "model",
    "rows",
    "p50 ms",
    "p99 ms",
    "CPU ms",
    "prediction p50 ms",
    "prediction CPU ms",
    "ratio",
    "CPU ratio",
]
Work = Callable[[Any], Any]


def values_of(explanation: Any) -> Any:
    """Return the values of a regression, or those of the second class."""
    values = explanation.local_importance_values
    return values if values.ndim == 2 else values[1]


def calls(fitted: Callable[[str], Any], X: np.ndarray, n_jobs: int) -> Iterator[dict[str, Any]]:
    """Yield the fields of cases: name, work of both sides, rows of both sides, bar, turns."""
    model, booster, n = fitted("lightgbm"), fitted("lightgbm").booster_, len(X)
    ours = {b: TreeExplainer(model, X[:b] if b else None, progress=False).explain_local for b in (0, 100, 1000)}
    alone = shap.TreeExplainer(model)
    over = {b: shap.TreeExplainer(model, shap.maskers.Independent(X[:b], max_samples=b)) for b in (100, 1000)}

    def against(b: int) -> Work:
        return lambda rows: over[b].shap_values(rows, check_additivity=False)

    def contributions(rows: Any) -> Any:
        return booster.predict(rows, pred_contrib=True, num_threads=n_jobs)[:, :-1]

    yield case("explain_local one row LightGBM / shap", ours[0], alone.shap_values, 1, 1, 6, 101)
    yield case("explain_local one row LightGBM B=100 / shap", ours[100], against(100), 1, 1, 30, 101)
    yield case("explain_local 50 rows LightGBM B=1000 / shap", ours[1000], against(1000), 50, 6, 1000, 5)
    yield case(f"explain_local {n} rows LightGBM / pred_contrib", ours[0], contributions, n, 1500, 60, 3)
    xgb = fitted("xgboost")
    explain = TreeExplainer(xgb, progress=False).explain_local

    def xgboost_contributions(rows: Any) -> Any:
        matrix = xgboost.DMatrix(rows, nthread=n_jobs)
        return xgb.get_booster().predict(matrix, pred_contribs=True)[:, :-1]

    yield case(f"explain_local {n} rows XGBoost / pred_contribs", explain, xgboost_contributions, n, 1500, 60, 3)
    yield vote(X)
    yield small_model()


def case(name: str, ours: Work, peer: Work, n_ours: int, n_peer: int, bar: float | None, turns: int) -> dict[str, Any]:
    return {
        "name": name, "ours": ours, "peer": peer, "n_ours": n_ours, "n_peer": n_peer, "bar": bar, "turns": turns,
        "ours_values": values_of,
    }  # fmt: skip


def vote(X: np.ndarray) -> dict[str, Any]:
    y = X[:, 0] * X[:, 1] + X[:, 2] > 0
    forests = [(str(seed), RandomForestClassifier(100, max_leaf_nodes=64, random_state=seed)) for seed in (0, 1)]
    model = VotingClassifier(forests, voting="soft").fit(X, y)
    explainer = TabularExplainer(model, X[:100], progress=False)
    peer = shap.KernelExplainer(lambda rows: model.predict_proba(rows)[:, 1], X[:100])

    def theirs(rows: Any) -> Any:
        return peer.shap_values(rows, silent=True, l1_reg=False)

    return case("explain_local 3 rows soft vote B=100 / KernelExplainer", explainer.explain_local, theirs, 3, 3, 200, 3)


def small_model() -> dict[str, Any]:
    X, y = load_breast_cancer(return_X_y=True)
    model = LGBMClassifier(n_estimators=20, num_leaves=15, verbose=-1).fit(X[:426], y[:426])

    def ours(_rows: Any) -> Any:
        return explain_model(model, X[:200], X[426:], progress=False).explanation

    def theirs(_rows: Any) -> Any:
        masker = shap.maskers.Independent(X[:200], max_samples=200)
        return shap.TreeExplainer(model, masker).shap_values(X[426:], check_additivity=False)

    return case("explain_model 143 rows small LightGBM B=200 / shap", ours, theirs, 143, 143, None, 11)


def latencies(fitted: Callable[[str], Any], X: np.ndarray, most: int) -> Iterator[list[str]]:
    """Yield the time of calls of `explain_local` by rows, beside the library's own prediction of the same rows."""
    for kind in ("lightgbm", "xgboost"):
        model = fitted(kind)
        explain = TreeExplainer(model, progress=False).explain_local
        for n, turns in TURNS.items():
            if n > most:
                continue
            rows = np.resize(X, (n, X.shape[1]))
            explain(rows), model.predict(rows)
            mine, theirs = [], []
            for _ in range(turns):
                mine.append(seconds(explain, rows))
                theirs.append(seconds(model.predict, rows))
            (wall, busy), (their_wall, their_busy) = (np.median(times, axis=0) * 1e3 for times in (mine, theirs))
            last = np.quantile([one[0] for one in mine], 0.99) * 1e3
            yield [
                kind, f"{n:,}", f"{wall:.3g}", f"{last:.3g}", f"{busy:.3g}", f"{their_wall:.3g}", f"{their_busy:.3g}",
                f"{wall / their_wall:.1f}x", f"{busy / their_busy:.1f}x",
            ]  # fmt: skip


def seconds(work: Work, rows: Any) -> tuple[float, float]:
    """Return seconds by the clock, and of all threads of this process."""
    wall, busy = time.perf_counter(), time.process_time()
    work(rows)
    return time.perf_counter() - wall, time.process_time() - busy
