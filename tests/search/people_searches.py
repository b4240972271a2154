"""A table of people, and searches of it by the optuna engine."""

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes

from automl_explain import AutoMLConfig, Experiment

QUICK = {"engine": "optuna", "time_budget": 120, "explainability_options": {"time_budget": 600}}
"""Time enough to explain every run on all rows, however busy the machine is."""


def people(n=160):
    """A table with every kind of column that users have, missing cells in all of them."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n),
            "town": rng.choice(["Ulm", "Bonn", "Köln"], n),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "visits": pd.array(rng.integers(0, 9, n), dtype="Int64"),
            "member": rng.random(n) < 0.5,
            "kind": pd.Categorical(rng.choice([1, 2, 3], n)),
        }
    )
    score = frame["age"] / 10 + 2 * (frame["town"] == "Ulm") + frame["visits"].astype(float)
    for step, name in enumerate(("age", "town", "since", "visits", "kind"), start=7):
        frame.loc[::step, name] = pd.NA if name in ("visits", "kind") else None
    return frame, score.to_numpy() + rng.normal(size=n)


PEOPLE, SCORE = people()
BOUGHT = np.where(np.median(SCORE) < SCORE, "yes", "no")
LEVEL = np.array(["low", "middle", "high"])[np.digitize(SCORE, np.quantile(SCORE, [0.3, 0.7]))]
DATA = {
    "binary": (PEOPLE, BOUGHT),
    "multiclass": (PEOPLE, LEVEL),
    "regression": (PEOPLE, SCORE),
    "numbers": load_diabetes(return_X_y=True),
}


def submit(X, y, **settings):
    return Experiment("people").submit(AutoMLConfig(X=X, y=y, **{**QUICK, "max_iter": 5, **settings}))


def no_model(trial, loss_of):
    return trial.suggest_float("x", 0, 1)
