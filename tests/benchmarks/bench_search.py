"""What explaining every run adds to whole searches, through the public calls that a user makes.

``python -m tests.benchmarks.bench_search`` prints a table; with ``--markdown docs/performance/search.md`` it becomes the first
part of that page. Names select searches: ``demo``, ``adult``, ``grid``, ``optuna``.
"""

import argparse
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import optuna
from lightgbm import LGBMClassifier
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import OrdinalEncoder

from automl_explain import AutoMLConfig, Experiment, RunHistory
from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.sklearn_search import ExplainingScorer
from tests.benchmarks.adult import adult

KEPT = "## What noting models costs"
"""Heading of the part of the page that other benchmarks measure."""


def demo(history):
    """The search of ``automl-explain demo``: FLAML for 15 s on the breast cancer data."""
    bunch = load_breast_cancer(as_frame=True)
    started = time.monotonic()
    run = Experiment("demo").submit(
        AutoMLConfig(X=bunch.data, y=bunch.target, task="classification", time_budget=15, history=history.directory)
    )
    total = time.monotonic() - started
    return total - history.search(run.runs[0].search)["facts"]["search_seconds"], total


def adult_flaml(history):
    """FLAML for 60 s on Adult, every run explained on 2,000 validation rows."""
    X, y, _ = adult()
    X_train, X_valid, y_train, y_valid = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)
    automl = AutoML(model_explainability=True, history=history)
    started = time.monotonic()
    automl.fit(X_train, y_train, task="classification", X_val=X_valid, y_val=y_valid, time_budget=60, verbose=0)
    total = time.monotonic() - started
    return total - history.search(automl.best_run.search)["facts"]["search_seconds"], total


def grid(history):
    """scikit-learn's GridSearchCV: 24 forests in 3 folds of Adult."""
    X, y = encoded()
    scorer = ExplainingScorer("roc_auc", X, history=history)
    grid = {"max_depth": [4, 6, 8, 10], "n_estimators": [20, 40, 60], "min_samples_leaf": [1, 20]}
    started = time.monotonic()
    search = GridSearchCV(RandomForestClassifier(random_state=0), grid, scoring=scorer, cv=3).fit(X, y)
    searched = time.monotonic()
    scorer.explain(search)
    return time.monotonic() - searched, time.monotonic() - started


def study(history):
    """An Optuna study of your own objective: 40 LightGBM models of Adult."""
    X_train, X_valid, y_train, y_valid = train_test_split(*encoded(), test_size=0.2, random_state=0)
    explainer = TrialExplainer(X_train, history=history)

    def objective(trial):
        with explainer.trial(trial) as seen:
            model = LGBMClassifier(
                n_estimators=trial.suggest_int("n_estimators", 20, 200),
                num_leaves=trial.suggest_int("num_leaves", 4, 63), verbose=-1,
            )  # fmt: skip
            model.fit(X_train, y_train)
            seen.capture(model, X_valid)
            return model.score(X_valid, y_valid)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    started = time.monotonic()
    made.optimize(objective, n_trials=40)
    searched = time.monotonic()
    explainer.explain(made)
    return time.monotonic() - searched, time.monotonic() - started


def encoded():
    X, y, _ = adult()
    table = OrdinalEncoder(encoded_missing_value=-1).set_output(transform="pandas").fit_transform(X)
    return table, (y == y.unique()[0]).astype(int)


SEARCHES = {"demo": demo, "adult": adult_flaml, "grid": grid, "optuna": study}


def measure(name):
    """Return a row of the table for one search."""
    with tempfile.TemporaryDirectory() as folder:
        history = RunHistory(folder)
        explaining, total = SEARCHES[name](history)
        runs = history.runs()
        done = [run for run in runs if run.status == "explained"]
        rows = int(np.median([run.explanation.num_examples for run in done]))
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    search = total - explaining
    return (
        f"| {SEARCHES[name].__doc__.rstrip('.')} | {search:.1f} | {len(done)} of {len(runs)} | {rows:,} | {explaining:.2f} | "
        f"{explaining / search:.1%} | {1000 * explaining / max(1, len(done)):.0f} | {size / 2**20:.1f} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("searches", nargs="*", metavar="|".join(SEARCHES))
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    before = os.getloadavg()[0]
    rows = [measure(name) for name in options.searches or SEARCHES]
    libraries = ", ".join(
        f"{name} {version(name)}" for name in ("flaml", "lightgbm", "xgboost", "scikit-learn", "optuna")
    )
    page = "\n".join([
        "# What explanations add to a search",
        "",
        "Made by `python -m tests.benchmarks.bench_search --markdown docs/performance/search.md`; the second part is not.",
        "",
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {libraries}; load average {before:.1f} before and "
        f"{os.getloadavg()[0]:.1f} at the end. Rows are the median of the validation rows explained per run.",
        "",
        "| search | search s | runs explained | rows | explaining s | of the search | ms per run | history MiB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
    ])  # fmt: skip
    print(page)
    if options.markdown:
        old = options.markdown.read_text()
        options.markdown.write_text(page + "\n" + old[old.index(KEPT) :])


if __name__ == "__main__":
    main()
