"""Explanations of every kind that a plot, a table or the report meets, built by hand."""

import numpy as np
import pandas as pd

from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.tables._table import as_table

N_ROWS = 60


def frame(n_rows=N_ROWS, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": rng.normal(40, 12, n_rows).round(),
            "a very long name of a feature that no axis has room for": rng.lognormal(10, 0.6, n_rows),
            "city": pd.Categorical(rng.choice(["Rome", "Oslo", "a town with quite a long name"], n_rows)),
            "size": pd.Categorical(rng.choice(list("SML"), n_rows), categories=list("SML"), ordered=True),
            "joined": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 900, n_rows), "D"),
            "member": rng.random(n_rows) < 0.5,
            "gaps": rng.normal(size=n_rows),
            "$price$ <b>": rng.normal(size=n_rows),
            "constant": 1,
            "word": rng.choice(["x", "y"], n_rows).astype(object),
        }
    )
    table.loc[::5, "gaps"] = np.nan
    table.loc[::7, "word"] = None
    return table


def attributed(values, classes=None, *, features=None, data=None, space="response", **more):
    """An explanation whose predictions are what its values add up to."""
    values = np.asarray(values, dtype=np.float64)
    expected = np.array([0.5]) if classes is None else np.linspace(0.1, 0.4, len(classes))
    sums = values.sum(axis=-1)
    predictions = (sums[:, None] if classes is None else sums.T) + expected
    return Explanation(
        values, expected, features, classes, space, "kernel", "made by hand",
        data=None if data is None else as_table(data), predictions=predictions, **more,
    )  # fmt: skip


def _values(*shape, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) * np.linspace(1.0, 0.05, shape[-1])


def binary():
    table, values = frame(), _values(N_ROWS, 10)
    both = np.stack([-values, values])
    return attributed(both, ("no", "yes"), features=tuple(table), data=table, space="log_odds")


def multiclass():
    table, values = frame(), _values(3, N_ROWS, 10)
    return attributed(values, (0, 1, 2), features=tuple(table), data=table, space="probability")


def many_classes():
    return attributed(_values(12, 20, 4), tuple(f"class number {j}" for j in range(12)), space="probability")


def boolean_classes():
    values = _values(20, 4)
    return attributed(np.stack([-values, values]), (False, True), space="probability")


def regression():
    table = frame()
    return attributed(1000 * _values(N_ROWS, 10), features=tuple(table), data=table)


def nameless():
    rng = np.random.default_rng(2)
    return attributed(_values(N_ROWS, 5), data=rng.normal(size=(N_ROWS, 5)))


def one_feature():
    return attributed(_values(N_ROWS, 1), features=("only",), data=np.arange(N_ROWS, dtype=float)[:, None])


def one_row():
    return attributed(_values(1, 4), features=tuple("abcd"), data=frame(1).iloc[:, :4])


def many_features():
    names = tuple(f"f{j}" for j in range(300))
    return attributed(_values(N_ROWS, 300), features=names, data=np.zeros((N_ROWS, 300)))


def zeros():
    return attributed(np.zeros((N_ROWS, 3)), features=("a", "b", "c"), data=np.ones((N_ROWS, 3)))


def negative_only():
    return attributed(-np.abs(_values(N_ROWS, 4)), features=tuple("abcd"))


def sampled():
    values = _values(2, N_ROWS, 6)
    return attributed(values, ("a", "b"), standard_errors=np.abs(values) / 10, notes=("25 of 200 background rows",))


def objects():
    return attributed(_values(N_ROWS, 10), data=frame().to_numpy(dtype=object))


def global_only():
    return Explanation(
        None, np.array([0.0]), ("a", "b", "c"), None, "response", "permutation", "scored on shuffled columns",
        global_values=np.array([0.5, -0.25, 0.1]), kind="permutation", metric="r2",
    )  # fmt: skip


LOCAL = (
    binary, multiclass, many_classes, boolean_classes, regression, nameless, one_feature, one_row, many_features, zeros,
    negative_only, sampled, objects,
)  # fmt: skip
CASES = (*LOCAL, global_only)
