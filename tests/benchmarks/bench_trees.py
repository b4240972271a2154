"""Speed of tree Shapley values beside their peers, and how it grows.

``python -m tests.benchmarks.bench_trees [family ...] [--markdown docs/performance/trees.md]``

Every case runs in this process on two threads, peers in their best setting, turns interleaved; the table gives medians per
row and the largest difference of values. ``woodelf`` is compared where it is installed (``pip install --no-deps
woodelf-explainer==0.4.8 treelite``).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import shap
import xgboost
from sklearn.ensemble import RandomForestRegressor

import automl_explain
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees._tree_shap import Interventional, PathDependent
from tests.benchmarks.tree_calls import HEADINGS as LATENCY_HEADINGS
from tests.benchmarks.tree_calls import calls, latencies
from tests.benchmarks.tree_growth import growth

assert automl_explain.__version__  # registers the readers
N_JOBS = 2
START_LOAD = os.getloadavg()[0]
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
    comparable: bool = True
    """Whether the peer answers the same question, so that values can be compared."""
    ours_values: Callable[[Any], Any] = field(default=lambda values: values[0])
    peer_values: Callable[[Any], Any] = field(default=lambda values: values)


@cache
def fitted(kind: str) -> Any:
    models = {
        "lightgbm": lambda: lightgbm.LGBMRegressor(n_estimators=200, num_leaves=31, n_jobs=N_JOBS, verbose=-1),
        "xgboost": lambda: xgboost.XGBRegressor(n_estimators=200, max_depth=6, n_jobs=N_JOBS),
        "catboost": lambda: catboost.CatBoostRegressor(
            iterations=200, depth=6, thread_count=N_JOBS, verbose=0, allow_writing_files=False
        ),
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

    yield Case("path LightGBM / pred_contrib", ours("lightgbm"), lightgbm_values, N_ROWS, 1500, 8, 3,
               peer_values=first_columns)  # fmt: skip
    yield Case("path XGBoost / pred_contribs", ours("xgboost"), xgboost_values, N_ROWS, 1500, 6, 3,
               peer_values=first_columns)  # fmt: skip
    yield Case("path forest / shap", ours("forest"), forest.shap_values, 2000, 60, 20, 3)
    for kind, peer in (("lightgbm", lightgbm_values), ("xgboost", xgboost_values), ("forest", forest.shap_values)):
        yield Case(f"path one row {kind}", ours(kind), peer, 1, 1, None, 31, peer_values=first_columns)


def catboosts_own() -> Iterator[Case]:
    model, solve = fitted("catboost"), PathDependent(trees("catboost"))

    def theirs(rows: Any) -> Any:
        return model.get_feature_importance(catboost.Pool(rows), type="ShapValues", thread_count=N_JOBS)

    yield Case("path CatBoost / ShapValues", lambda rows: solve.shap_values(rows, n_jobs=N_JOBS), theirs, 2000, 2000, 1,
               peer_values=first_columns)  # fmt: skip


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
    pairs = Interventional(trees("lightgbm"), X[:100])

    def their_pairs(rows: Any) -> Any:
        explainer = WoodelfExplainer(fitted("lightgbm"), frame[:100], feature_perturbation="interventional")
        return explainer.shap_interaction_values(pd.DataFrame(rows, columns=names), verbose=False)

    yield Case("interactions LightGBM B=100 / woodelf", lambda rows: pairs.interaction_values(rows, n_jobs=N_JOBS),
               their_pairs, 500, 500, None, 3)  # fmt: skip


def interactions() -> Iterator[Case]:
    for kind, n_peer, bar in (("lightgbm", 6, 20), ("xgboost", 200, 20), ("forest", 1, 20)):
        peer = shap.TreeExplainer(fitted(kind))
        solve = PathDependent(trees(kind))

        def ours(rows: Any, solve: PathDependent | Interventional = solve) -> Any:
            return solve.interaction_values(rows, n_jobs=N_JOBS)

        yield Case(f"interactions path {kind} / shap", ours, peer.shap_interaction_values, 500, n_peer, bar, 3)
        if kind == "lightgbm":  # shap has none over a background: its path-dependent ones are the yardstick
            against = Interventional(trees(kind), X[:100])

            def over_background(rows: Any, solve: Interventional = against) -> Any:
                return solve.interaction_values(rows, n_jobs=N_JOBS)

            yield Case("interactions interventional lightgbm B=100 / shap path", over_background,
                       peer.shap_interaction_values, 500, 3, 20, 3, comparable=False)  # fmt: skip


def seconds(work: Callable[[Any], Any], rows: Any) -> tuple[np.ndarray, Any]:
    """Return seconds by the clock and by the processors, and the result."""
    wall, busy = time.perf_counter(), time.process_time()
    result = work(rows)
    return np.array([time.perf_counter() - wall, time.process_time() - busy]), result


@dataclass
class Result:
    """Medians of a case, in microseconds per row: by the clock, and summed over the processors."""

    case: Case
    ours: np.ndarray
    peer: np.ndarray
    difference: float

    def cells(self) -> list[str]:
        bar = "" if self.case.bar is None else f">= {self.case.bar:g}x"
        gap = f"{self.difference:.1e}" if self.case.comparable else "other values"
        wall, busy = self.peer / self.ours
        return [self.case.name, f"{self.ours[0]:.1f}", f"{self.peer[0]:.1f}", f"{wall:.1f}x", f"{busy:.1f}x", bar, gap]


HEADINGS = ["case", "us per row", "peer", "ratio", "CPU ratio", "bar", "max difference"]


def run(case: Case) -> Result:
    n = min(case.n_ours, case.n_peer)
    case.ours(X[:16])
    ours, theirs, difference = [], [], 0.0
    for _ in range(case.turns):
        spent, values = seconds(case.ours, X[: case.n_ours])
        ours.append(spent / case.n_ours)
        spent, peer = seconds(case.peer, X[: case.n_peer])
        theirs.append(spent / case.n_peer)
        if case.comparable:
            difference = float(np.abs(case.ours_values(values)[:n] - case.peer_values(peer)[:n]).max())
    return Result(case, np.median(ours, axis=0) * 1e6, np.median(theirs, axis=0) * 1e6, difference)


def public_calls() -> Iterator[Case]:
    for fields in calls(fitted, X, N_JOBS):
        yield Case(**fields)


FAMILIES = {
    "calls": public_calls,
    "path": path_dependent,
    "catboost": catboosts_own,
    "interventional": interventional,
    "building": building,
    "woodelf": woodelf,
    "interactions": interactions,
}


def markdown(results: list[Result], by_rows: list[list[str]], curves: list[list[str]]) -> str:
    packages = ("lightgbm", "xgboost", "catboost", "scikit-learn", "shap", "numba")
    lines = [
        "# Benchmarks of tree explanations",
        "",
        "Made by `python -m tests.benchmarks.bench_trees --markdown docs/performance/trees.md`; do not edit.",
        "",
        f"A machine with {os.cpu_count()} cores, {N_JOBS} threads on both sides, one process, turns interleaved, medians; load "
        f"average {START_LOAD:.1f} at the start, OMP_WAIT_POLICY={os.environ.get('OMP_WAIT_POLICY', 'unset')}. Other work on "
        "the machine makes times by the clock larger, long ones the most; the CPU ratio, of processor time over all threads, "
        "it changes little.",
        "",
        f"{N_ROWS} generated rows of {N_COLUMNS} columns, about as many columns as the Adult census table has. LightGBM has "
        "200 trees of 31 leaves, XGBoost and CatBoost 200 of depth 6, the forest 100 of 500 leaves, the full forest 50 grown "
        "to the end. Peers run on fewer rows where they are slow. "
        + ", ".join(f"{name} {version(name)}" for name in packages)
        + ".",
        "",
        "`max difference` is between the two results; XGBoost computes in float32, and shap rounds thresholds to float32. "
        "`tables and values` includes the preparation for a background, which an explainer does once.",
        "",
        *table(HEADINGS, [result.cells() for result in results]),
        "",
        "Rows that begin with `explain_local` or `explain_model` are calls of users, timed with everything that they do; all "
        "others call the engine.",
        "",
        "## Latency by rows",
        "",
        "`TreeExplainer(model).explain_local(rows)` without a background, for 1 to 10^6 rows of an array, beside the library's "
        "own `predict` of the same rows. The ratios say how many predictions an explanation costs.",
        "",
        *table(LATENCY_HEADINGS, by_rows),
        "",
        "## How cost grows",
        "",
        "Processor seconds, over both threads, while one quantity doubles and the others stay: 4,000 rows, 100 background "
        "rows, 100 trees of depth 6, 16 columns, one output. The exponent is that of a fitted power law: 1 is linear. Models "
        "of several classes are forests, whose leaves hold all of them. A level of depth doubles the leaves.",
        "",
        *table(["what grows", "work", "sizes", "seconds", "exponent"], curves),
    ]
    return "\n".join(lines) + "\n"


def table(headings: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (headings, ["---"] * len(headings), *rows)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", help=f"some of {', '.join(FAMILIES)}, latency, growth; default: all")
    parser.add_argument(
        "--most-rows", type=int, default=1_000_000, help="most rows of a call in the table of latencies"
    )
    parser.add_argument("--markdown", type=Path, help="file that the tables are written to")
    options = parser.parse_args()
    print("{:56} {:>11} {:>13} {:>10} {:>10} {:>8} {:>12}".format(*HEADINGS))
    results: list[Result] = []
    by_rows: list[list[str]] = []
    curves: list[list[str]] = []

    def keep() -> None:
        """Write what is there so far: the whole takes several minutes."""
        if options.markdown:
            options.markdown.parent.mkdir(exist_ok=True)
            options.markdown.write_text(markdown(results, by_rows, curves))

    for name, family in FAMILIES.items():
        if not options.families or name in options.families:
            for case in family():
                results.append(run(case))
                print("{:56} {:>11} {:>13} {:>10} {:>10} {:>8} {:>12}".format(*results[-1].cells()), flush=True)
                keep()
    if not options.families or "latency" in options.families:
        for line in latencies(fitted, X, options.most_rows):
            by_rows.append(line)
            print(("{:>18}" * len(line)).format(*line), flush=True)
            keep()
    if not options.families or "growth" in options.families:
        for curve in growth():
            curves.append(curve)
            print("{:12} {:24} {:26} {:36} {:>8}".format(*curve), flush=True)
            keep()


if __name__ == "__main__":
    main()
