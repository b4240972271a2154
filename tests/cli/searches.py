"""What the tests of the command line search: a small table, and few trials."""

import numpy as np
import pandas as pd

QUICK = ("--estimators", "lgbm", "--max-iter", "3", "--time-budget", "60")
"""A search of three trials."""


def people(n_rows=60, seed=0):
    """Rows with a category, dates, missing cells and text labels."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, n_rows).astype(float)
    return pd.DataFrame({
        "age": np.where(rng.random(n_rows) < 0.1, np.nan, age), "city": rng.choice(["a", "b", None], n_rows),
        "since": pd.date_range("2020-01-01", periods=n_rows, freq="9D"),
        "bought": np.where(age + rng.normal(0, 9, n_rows) > 45, "yes", "no"),
    })  # fmt: skip
