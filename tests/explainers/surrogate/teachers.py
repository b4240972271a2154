"""Tables, and teachers with known outputs."""

import numpy as np
import pandas as pd
from scipy import sparse

from automl_explain import ExplainableModel


def numbers(n=400, f=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, f))


def three_classes(X):
    """Probabilities that depend most on the first column and not on the last."""
    scores = np.column_stack([2 * X[:, 0], X[:, 1] - X[:, 0], 0.3 * X[:, 2]])
    shares = np.exp(scores)
    return shares / shares.sum(axis=1, keepdims=True)


def two_classes(X):
    second = 1 / (1 + np.exp(-2 * X[:, 0] - X[:, 1]))
    return np.column_stack([1 - second, second])


def response(X):
    return 1000 + 300 * X[:, 0] + 100 * X[:, 1]


TEACHERS = {"regression": response, "binary": two_classes, "multiclass": three_classes}


def mixed(n=600):
    """Return a frame with every kind of column."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({
        "size": rng.normal(size=n), "colour": pd.Categorical(rng.choice(["red", "green", "blue", "grey"], n)),
        "place": pd.Series(rng.choice(["here", "there"], n), dtype=object), "flag": rng.random(n) < 0.5,
        "count": pd.array(rng.integers(0, 9, n), dtype="Int64"),
        "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
    })  # fmt: skip
    frame.loc[::7, "size"] = np.nan
    frame.loc[::11, "count"] = pd.NA
    frame.loc[::13, "colour"] = np.nan
    return frame


def colour_decides(frame):
    effect = frame["colour"].astype(object).map({"red": 5.0, "green": -5.0, "blue": 4.0, "grey": -4.0}).fillna(0.0)
    return effect.to_numpy() + frame["size"].fillna(3.0).to_numpy()


def thin(n=300, f=40, seed=3):
    return sparse.random(n, f, density=0.15, format="csr", random_state=seed)


class Nearest(ExplainableModel):
    """A surrogate of unknown structure."""

    def fit(self, X, outputs, categories):
        self.X, self.outputs = X, outputs
        return self

    def predict(self, X):
        return self.outputs[((X[:, None] - self.X) ** 2).sum(axis=2).argmin(axis=1)]
