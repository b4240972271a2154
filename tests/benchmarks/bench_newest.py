"""Path-dependent values beside those of shapiq and of XGBoost's own quadrature, which need Python 3.12.

``pip install -r .ci/newest.txt``, then ``python -m tests.benchmarks.bench_newest [rows ...]``

All sides run in this process on two threads, where they have threads, with turns interleaved; times are medians of calls that
a user makes.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import lightgbm
import numpy as np
import xgboost

from automl_explain import TreeExplainer

N_JOBS = 2
Work = Callable[[Any], Any]


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(7561, 14))
    return X, X[:, 0] * X[:, 1] + np.sin(3 * X[:, 2]) + X[:, 3] * (X[:, 4] > 0) + 0.3 * rng.normal(size=len(X))


def models(X: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    return {
        "LightGBM": lightgbm.LGBMRegressor(n_estimators=200, num_leaves=31, n_jobs=N_JOBS, verbose=-1).fit(X, y),
        "XGBoost": xgboost.XGBRegressor(n_estimators=200, max_depth=6, n_jobs=N_JOBS).fit(X, y),
    }


def peers(name: str, model: Any) -> Iterator[tuple[str, Work]]:
    """Yield the other ways to the same values, each a function from rows to an array (n, f)."""
    import shapiq

    explainer = shapiq.TreeExplainer(model, index="SV", max_order=1, min_order=1)

    def by_shapiq(rows: np.ndarray) -> Any:
        found = explainer.explain_X(rows).values
        return np.stack([found[(j,)] for j in range(rows.shape[1])], axis=1)

    yield f"shapiq {version('shapiq')}", by_shapiq
    if name == "XGBoost":
        booster = model.get_booster()

        def own(rows: np.ndarray) -> Any:
            return booster.predict(xgboost.DMatrix(rows, nthread=N_JOBS), pred_contribs=True)[:, :-1]

        yield f"XGBoost {version('xgboost')}", own


def seconds(work: Work, rows: np.ndarray) -> tuple[float, Any]:
    started = time.perf_counter()
    made = work(rows)
    return time.perf_counter() - started, made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=[1, 100, 7561], help="rows of a call; default: 1 100 7561")
    sizes = parser.parse_args().rows
    X, y = data()
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    print(
        "| model | rows | ours ms | peer | peer ms | ratio | max difference |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    for name, model in models(X, y).items():
        explain = TreeExplainer(model, progress=False).explain_local
        for peer, work in peers(name, model):
            for n in sizes:
                rows, mine, theirs = X[:n], [], []
                explain(rows), work(rows[:1])
                for _ in range(101 if n == 1 else 11 if n <= 1000 else 1):
                    spent, ours = seconds(explain, rows)
                    mine.append(spent)
                    spent, other = seconds(work, rows)
                    theirs.append(spent)
                gap = np.abs(ours.local_importance_values - other).max()
                one, two = np.median(mine) * 1e3, np.median(theirs) * 1e3
                print(f"| {name} | {n:,} | {one:.3g} | {peer} | {two:.3g} | {two / one:.1f}x | {gap:.1e} |", flush=True)


if __name__ == "__main__":
    main()
