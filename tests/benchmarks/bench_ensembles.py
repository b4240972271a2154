"""Ensembles against shap's model-agnostic explainers: python -m tests.benchmarks.bench_ensembles [ROWS].

Same rows, same background, same process, interleaved; errors are against enumeration of all coalitions. With ``--wide``,
`explain_model` of stacks with many columns, and the time that it announces.
"""

import argparse
import logging
import time
import warnings

import lightgbm
import numpy as np
import shap
import xgboost
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    ExtraTreesClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, SVR

from automl_explain import KernelExplainer, SamplingOptions, TabularExplainer, explain_model


def boosters():
    lgbm = lightgbm.LGBMClassifier(n_estimators=100, verbose=-1, n_jobs=2)
    forest = RandomForestClassifier(100, max_leaf_nodes=100, n_jobs=2, random_state=0)
    return lgbm, forest, xgboost.XGBClassifier(n_estimators=100, max_depth=5, n_jobs=2)


def flaml_like_stack():
    lgbm, forest, xgb = boosters()
    final = lightgbm.LGBMClassifier(n_estimators=50, num_leaves=15, verbose=-1, n_jobs=2)
    return StackingClassifier([("l", lgbm), ("r", forest), ("x", xgb)], final, cv=3, passthrough=True)


def forests():
    return [("r", RandomForestClassifier(100, max_leaf_nodes=100, random_state=0)),
            ("e", ExtraTreesClassifier(100, max_leaf_nodes=100, random_state=0))]  # fmt: skip


def ridge_stack():
    lgbm = lightgbm.LGBMRegressor(n_estimators=100, verbose=-1, n_jobs=2)
    return StackingRegressor([("l", lgbm), ("r", RandomForestRegressor(100, max_leaf_nodes=100))], Ridge(), cv=3)


def cases():
    """Return name, model, columns, background rows, coalitions of the peer, bar."""
    return [
        ("FLAML-like stack, p=10", flaml_like_stack(), 10, 100, 1022, 10),
        ("stack, logistic over forests, p=10", StackingClassifier(forests(), LogisticRegression(), cv=3), 10, 100, 1022, 200),
        ("soft vote of forests, p=10", VotingClassifier(forests(), voting="soft"), 10, 100, 1022, 200),
        ("regression stack, ridge, p=10", ridge_stack(), 10, 100, 1022, 200),
        ("LightGBM, KernelSHAP semantics, p=20", boosters()[0], 20, 50, 2088, 30),
        ("SVC rbf, p=10", SVC(), 10, 100, 1022, 2.5),
        ("SVR rbf, regression, p=10", SVR(), 10, 100, 1022, 2.5),
        ("MLP, p=10", MLPClassifier((32,), max_iter=100, random_state=0), 10, 100, 1022, 2.5),
    ]  # fmt: skip


def peer_values(function, background, rows, nsamples):
    explainer = shap.KernelExplainer(function, background)
    started = time.perf_counter()
    values = np.asarray(explainer.shap_values(rows, nsamples=nsamples, l1_reg=False, silent=True))
    return values, time.perf_counter() - started


def own_values(model, background, rows, case):
    kind = KernelExplainer if case.startswith("LightGBM") else TabularExplainer
    settings = {"nsamples": 2088} if case.startswith("LightGBM") else {}
    explainer = kind(model, background, sampling=SamplingOptions(background_size=len(background), **settings))
    explainer.explain_local(rows[:1])
    started = time.perf_counter()
    explanation = explainer.explain_local(rows)
    return explanation, time.perf_counter() - started


def function_of(model, space):
    if space == "probability":
        return lambda X: model.predict_proba(X)[:, 1]
    if space == "response":
        return model.predict
    if isinstance(model, lightgbm.LGBMClassifier):
        return lambda X: model.predict(X, raw_score=True)
    return model.decision_function


def wide_stack(final):
    lgbm = lightgbm.LGBMRegressor(n_estimators=50, num_leaves=12, verbose=-1, n_jobs=2)
    forest = RandomForestRegressor(30, max_leaf_nodes=100, n_jobs=2, random_state=0)
    xgb = xgboost.XGBRegressor(n_estimators=50, max_leaves=12, n_jobs=2)
    return StackingRegressor([("l", lgbm), ("r", forest), ("x", xgb)], final, cv=3, passthrough=True)


def wide():
    """Explain rows of FLAML-like regression stacks: `RidgeCV` on top is what FLAML takes, LightGBM what users may."""
    booster = lightgbm.LGBMRegressor(n_estimators=50, num_leaves=12, verbose=-1, n_jobs=2)
    print("| final estimator | columns | rows | s | announced s | largest standard error | largest value |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, final, p, n in (
        ("RidgeCV", RidgeCV(), 124, 200),
        ("LightGBM", booster, 124, 200),
        ("LightGBM", booster, 14, 1000),
    ):
        X, y = make_regression(2000, p, n_informative=10, random_state=0)
        y = y / y.std() + np.sin(3 * X[:, 2]) + X[:, 0] * X[:, 1]
        model = wide_stack(final).fit(X, y)
        explain_model(model, X[:200], X[:2], progress=False)
        started = time.perf_counter()
        made = explain_model(model, X[:200], X[-n:], progress=False).explanation
        seconds = time.perf_counter() - started
        said = [note.split("expected to take ")[1].split(" s.")[0] for note in made.notes if "expected to take" in note]
        error = "exact" if made.standard_errors is None else f"{made.standard_errors.max():.2g}"
        largest = np.abs(made.local_importance_values).max()
        print(f"| {name} | {p} | {n} | {seconds:.2f} | {', '.join(said)} | {error} | {largest:.2g} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="?", type=int, default=4, help="rows explained of each case")
    parser.add_argument("--wide", action="store_true", help="stacks with many columns")
    options = parser.parse_args()
    n_rows = options.rows
    warnings.simplefilter("ignore")
    if options.wide:
        wide()
        return
    logging.getLogger("shap").setLevel(logging.ERROR)
    print(f"{'case':40s} {'ours s':>9s} {'shap s':>9s} {'times':>7s} {'bar':>6s} {'max |difference|':>17s}  space, way")
    for name, model, p, n_background, nsamples, bar in cases():
        make = make_regression if "regression" in name else make_classification
        extra = {} if "regression" in name else {"n_informative": p - 2, "n_redundant": 2}
        X, y = make(2000, p, random_state=0, **extra)
        model.fit(X, y)
        background, rows = X[:n_background], X[-n_rows:]
        ours, mine = [], []
        for _ in range(3):
            explanation, seconds = own_values(model, background, rows, name)
            ours.append(seconds)
            values, seconds = peer_values(function_of(model, explanation.output_space), background, rows, nsamples)
            mine.append(seconds)
        own = explanation.local_importance_values
        gap = np.abs((own if own.ndim == 2 else own[1]) - values).max()
        ratio = np.median(mine) / np.median(ours)
        print(f"{name:40s} {np.median(ours):9.4f} {np.median(mine):9.3f} {ratio:7.1f} {bar:6.1f} {gap:17.2e}  "
              f"{explanation.output_space}, {explanation.method}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
