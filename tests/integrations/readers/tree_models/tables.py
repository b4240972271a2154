"""Small tables on which the tree models are fitted, and their targets."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

N_ROWS = 240
LETTERS = [f"k{number}" for number in range(40)]  # more than one word of a bit set


@cache
def numbers(missing: bool = False) -> np.ndarray:
    """Ties, zeros, tiny, huge and negative numbers, small integers."""
    random = np.random.default_rng(3)
    X = np.column_stack(
        [
            random.normal(size=N_ROWS),
            random.integers(-2, 3, N_ROWS).astype(float),
            np.round(random.normal(size=N_ROWS), 1),
            random.choice([0.0, -0.0, 1e-36, -1e-36, 0.5, 1e6, -3e-5], N_ROWS),
            random.lognormal(0, 4, N_ROWS),
        ]
    )
    if missing:
        X[random.random(X.shape) < 0.15] = np.nan
    X.setflags(write=False)
    return X


@cache
def frame(missing: bool = True) -> pd.DataFrame:
    """Numbers with names, a boolean, and two columns of category dtype, one with an order that is not sorted."""
    random = np.random.default_rng(5)
    table = pd.DataFrame(numbers(missing), columns=["ago", "count", "dose", "zeros", "spread"])
    table.insert(1, "letter", pd.Categorical(random.choice(LETTERS, N_ROWS), categories=LETTERS[::-1]))
    table["shade"] = pd.Categorical(
        random.choice(["red", "green", "blue"], N_ROWS), categories=["red", "green", "blue"]
    )
    table["flag"] = random.random(N_ROWS) < 0.5
    if missing:
        table.loc[::9, "letter"] = None
    return table


@cache
def coded() -> np.ndarray:
    """The numbers, with codes of 40 categories as second column."""
    X = np.array(numbers(True))
    X[:, 1] = np.arange(N_ROWS) * 7 % 40
    X.setflags(write=False)
    return X


@cache
def labels(n_classes: int = 2) -> np.ndarray:
    random = np.random.default_rng(7)
    X = numbers()
    letter = frame(False)["letter"].cat.codes.to_numpy()
    coded_effect = np.arange(N_ROWS) * 7 % 40 % 2
    score = X[:, 0] + X[:, 1] * (X[:, 3] > 0) + letter % 3 + coded_effect + 0.3 * random.normal(size=N_ROWS)
    return np.searchsorted(np.quantile(score, np.arange(1, n_classes) / n_classes), score)


@cache
def target() -> np.ndarray:
    X = numbers()
    return X[:, 0] * X[:, 1] + np.log(X[:, 4]) + frame(False)["letter"].cat.codes.to_numpy() % 5


def words(n_classes: int = 2) -> np.ndarray:
    return np.array(["no", "yes", "maybe"])[labels(n_classes)]


WORDS2, WORDS3 = ("no", "yes"), ("maybe", "no", "yes")
WEIGHTS = np.linspace(0.5, 2.0, N_ROWS)
