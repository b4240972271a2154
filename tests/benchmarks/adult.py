"""The Adult census table, or one of its size and kinds of columns where the file is not at hand."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

FILE = Path(os.environ.get("ADULT_CSV", Path(__file__).parents[3] / "shared" / "data" / "adult.csv.gz"))


def adult():
    """Return features and target, and where they come from."""
    if FILE.is_file():
        frame = pd.read_csv(FILE)
        return frame.drop(columns="income"), frame["income"], "Adult"
    return *generated(), "generated"


def generated(n=32_561, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.integers(17, 91, n),
            "fnlwgt": rng.integers(10_000, 1_500_000, n),
            "education-num": rng.integers(1, 17, n),
            "capital-gain": np.where(rng.random(n) < 0.08, rng.integers(100, 99_999, n), 0),
            "capital-loss": np.where(rng.random(n) < 0.05, rng.integers(100, 4_356, n), 0),
            "hours-per-week": rng.integers(1, 100, n),
        }
        | {
            f"label{j}": rng.choice([f"v{k}" for k in range(size)], n)
            for j, size in enumerate((9, 16, 7, 15, 6, 5, 2, 42))
        }
    )
    X.loc[rng.random(n) < 0.056, "label0"] = None
    score = (
        X["age"] / 30
        + X["education-num"] / 5
        + (X["capital-gain"] > 5000) * 3
        + (X["label2"] == "v1")
        + rng.normal(0, 1, n)
    )
    return X, pd.Series(np.where(score > np.quantile(score, 0.76), ">50K", "<=50K"), name="income")
