"""What tests put into a run history."""

import numpy as np
import pandas as pd
from scipy import sparse

from automl_explain import Explanation
from automl_explain.explainers.tables._table import as_table

CONFIG = {"n_estimators": 4, "learning_rate": np.float64(0.1), "booster": None}


def trial(number, **changes):
    row = {
        "number": number, "learner": "lgbm", "config": CONFIG, "loss": 0.25, "metric": "1-auc", "kind": "trial",
        "status": "captured", "why": "", "sample_size": 100,
    }  # fmt: skip
    return row | changes


def explanation(n_rows=5, n_features=3, classes=("no", "yes"), seed=0, data="array", **changes):
    rng = np.random.default_rng(seed)
    n_outputs = len(classes) if classes else 1
    shape = (n_outputs, n_rows, n_features) if classes else (n_rows, n_features)
    values, expected = rng.normal(size=shape), rng.normal(size=n_outputs)
    totals = values.sum(axis=-1)
    rows = {
        "array": rng.normal(size=(n_rows, n_features)),
        "sparse": sparse.csr_matrix(np.where(rng.random((n_rows, n_features)) < 0.5, 0.0, 1.5)),
        "frame": frame(n_rows, n_features),
        None: None,
    }[data]
    fields = {
        "features": tuple(f"f{j}" for j in range(n_features)),
        "data": None if rows is None else as_table(rows),
        "predictions": (totals.T if classes else totals[:, None]) + expected,
    }
    return Explanation(values, expected, classes=classes, output_space="log_odds", method="tree", reason="its trees",
                       notes=("a note",), **fields | changes)  # fmt: skip


def frame(n_rows, n_features):
    table = pd.DataFrame(
        {"f0": np.arange(n_rows) / 7.0, "f1": pd.Categorical(list("aba"[: n_rows % 3]) + ["b"] * (n_rows - n_rows % 3))}
    )
    table["f2"] = pd.date_range("2024-01-29", periods=n_rows)
    table.loc[0, "f0"] = np.nan
    for j in range(3, n_features):
        table[f"f{j}"] = float(j)
    return table.iloc[:, :n_features]
