"""Trees as they are read must be the library's own: same leaf for every row, same sum, same words for the outcome."""

from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from threadpoolctl import threadpool_limits

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.model._structures import Linear
from automl_explain.explainers.trees._predict import predict_leaves
from automl_explain.explainers.trees._split_flags import ZERO_THRESHOLD
from automl_explain.explainers.trees._tree_ensemble import Trees
from tests import tree_reference
from tests.integrations.readers.tree_models.case import Case
from tests.integrations.readers.tree_models.every_case import CASES


@pytest.fixture(autouse=True)
def one_thread():
    """Keep the libraries' threads from waiting for each other: the tests run in several processes."""
    with threadpool_limits(limits=1):
        yield


def each(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


TREES = [case for case in CASES if not case.is_linear]
WITH_LEAVES = [case for case in TREES if case.library.leaves is not None]
WITH_LINK = [case for case in CASES if case.has_link]


@cache
def fitted(name: str):
    model, table = next(case for case in CASES if case.name == name).fit()
    return model, table, describe(model)


def two_columns(values, space: str, n_columns: int):
    """The one output of a binary model, as two."""
    values = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    if values.shape[1] == n_columns:
        return values
    return np.column_stack([1 - values if space == "probability" else -values, values])


def additive(described: FittedModel, table):
    """The structure's output, two columns for a binary model."""
    matrix = described.encode(table)
    structure = described.structure
    if isinstance(structure, Linear):
        return two_columns(matrix @ structure.coef.T + structure.intercept, described.output_space, described.n_outputs)
    return two_columns(tree_reference.predict(structure, matrix), described.output_space, described.n_outputs)


# -------------------------------------------------------------------------------------------------------- edge rows

SPECIAL = [0.0, -0.0, 1e-36, -1e-36, 1e-40, -5e-324, 1e-35, -1e-35, ZERO_THRESHOLD, -ZERO_THRESHOLD, 1e9, -1e9, 3.4e38]
BEYOND = [np.inf, -np.inf, 1e300, -1e300]  # infinite as float32


def around(thresholds):
    """Thresholds, their neighbours in both precisions, and the numbers half way, which rounding to float32 decides."""
    single = thresholds.astype(np.float32)
    with np.errstate(over="ignore"):
        below, above = (np.nextafter(single, np.float32(end)).astype(np.float64) for end in (-np.inf, np.inf))
    single = single.astype(np.float64)
    doubles = [np.nextafter(thresholds, end) for end in (-np.inf, np.inf)]
    halves = [(single + other) / 2 for other in (below, above)]
    return np.concatenate([thresholds, single, below, above, *doubles, *halves, np.nextafter(halves[1], np.inf)])


def edge_rows(case: Case, table, trees: Trees, n_rows: int = 400, *, infinity: bool = True):
    """Rows of the table with numbers replaced by thresholds of their column and other numbers that are hard to get right."""
    random = np.random.default_rng(11)
    infinity = infinity and case.library.takes_infinity
    sparse = scipy.sparse.issparse(table)
    missing = trees.allows_missing and not sparse
    special = [*SPECIAL, *([np.nan] if missing else []), *(BEYOND if infinity else [])]
    rows = random.integers(0, table.shape[0], n_rows)
    is_frame = isinstance(table, pd.DataFrame)
    changed = table.iloc[rows].reset_index(drop=True) if is_frame else np.array(to_dense(table)[rows])
    numeric = trees.category_size == 0
    for column in range(table.shape[1]):
        if column in case.categories or (is_frame and pd.api.types.is_bool_dtype(table.dtypes.iloc[column])):
            continue
        own = np.unique(trees.threshold[(trees.feature == column) & numeric])
        pool = np.concatenate([around(own[np.isfinite(own)]), special, [3.0, 39.0, 40.0, 70.0, -1.0, -7.0, 2.5]])
        if not infinity:
            pool = pool[~(np.abs(pool) > np.finfo(np.float32).max)]
        if sparse:  # LightGBM reads tiny numbers as zero in dense tables only
            pool = pool[(pool == 0) | (np.abs(pool) > ZERO_THRESHOLD)]
        replaced = random.random(n_rows) < 0.5
        values = np.where(
            replaced, random.choice(pool, n_rows), np.asarray(to_column(changed, column), dtype=np.float64)
        )
        if is_frame:
            changed.isetitem(column, values)
        else:
            changed[:, column] = values
    return scipy.sparse.csr_matrix(changed) if scipy.sparse.issparse(table) else changed


def to_dense(table):
    return table.toarray() if scipy.sparse.issparse(table) else table


def to_column(table, column):
    return table.iloc[:, column] if isinstance(table, pd.DataFrame) else table[:, column]


# ------------------------------------------------------------------------------------------------------------ checks

TYPES = {
    np.int32: ("roots", "left", "right", "feature", "category_start", "category_size", "output"),
    np.float64: ("threshold", "cover", "values", "base"),
    np.uint8: ("flags",),
    np.uint32: ("categories",),
}


@each(CASES)
def test_structure_adds_up_to_the_librarys_prediction(case):
    model, table, described = fitted(case.name)
    expected = two_columns(case.raw(model, table), case.space, described.n_outputs)
    np.testing.assert_allclose(additive(described, table), expected, rtol=case.library.rtol, atol=case.library.rtol)


@each(TREES)
def test_structure_adds_up_on_thresholds_and_other_edges(case):
    model, table, described = fitted(case.name)
    rows = edge_rows(case, table, described.structure)
    expected = two_columns(case.raw(model, rows), case.space, described.n_outputs)
    np.testing.assert_allclose(additive(described, rows), expected, rtol=case.library.rtol, atol=case.library.rtol)


@each(WITH_LEAVES)
def test_every_row_reaches_the_librarys_leaf(case):
    model, table, described = fitted(case.name)
    trees = described.structure
    rows = edge_rows(case, table, trees, infinity=case.library.leaves_take_infinity)
    ours = tree_reference.leaves(trees, described.encode(rows))
    theirs = np.asarray(case.library.leaves(model, rows)).reshape(len(ours), -1)
    for tree in range(trees.n_trees):
        # The numbering differs; which rows share a leaf must not.
        pairs = np.unique(np.column_stack([ours[:, tree], theirs[:, tree]]), axis=0)
        assert len(pairs) == len(np.unique(ours[:, tree])) == len(np.unique(theirs[:, tree]))


@each(TREES)
def test_compiled_trees_agree_with_the_plain_reading(case):
    _, table, described = fitted(case.name)
    matrix = described.encode(edge_rows(case, table, described.structure))
    np.testing.assert_array_equal(
        predict_leaves(described.structure, matrix), tree_reference.leaves(described.structure, matrix)
    )


@each(CASES)
def test_outputs_are_the_librarys_as_float64_columns(case):
    model, table, described = fitted(case.name)
    n_columns = 1 if case.classes is None else len(case.classes)
    for space, output in described.outputs.items():
        values = output(table)
        assert values.dtype == np.float64, space
        assert values.shape == (table.shape[0], n_columns), space
    raw = two_columns(case.raw(model, table), case.space, n_columns)
    np.testing.assert_allclose(described.predict(table), raw, rtol=1e-6, atol=1e-12)
    if case.value is not None:
        space = "response" if case.task == "regression" else "probability"
        value = two_columns(case.value(model, table), space, n_columns)
        np.testing.assert_allclose(described.outputs[space](table), value, rtol=1e-6, atol=1e-12)


@each(WITH_LINK)
def test_log_odds_are_those_of_the_probabilities(case):
    _, table, described = fitted(case.name)
    scores, probability = described.outputs["log_odds"](table), described.outputs["probability"](table)
    structure = described.structure
    n_outputs = len(structure.intercept) if isinstance(structure, Linear) else structure.n_outputs
    if described.output_space == "probability" or n_outputs == 1:
        expected = 1 / (1 + np.exp(-scores))
    else:
        expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probability, expected, rtol=1e-5, atol=1e-6)


@each(CASES)
def test_description_says_what_the_model_is(case):
    model, table, described = fitted(case.name)
    assert described.task == case.task
    assert described.classes == case.classes
    assert described.output_space == case.space
    assert described.feature_names == case.names
    assert described.n_features == table.shape[1]
    assert described.name == type(model).__name__
    matrix = described.encode(table)
    assert matrix.dtype == np.float64
    assert matrix.shape == table.shape


@each(TREES)
def test_trees_are_well_formed(case):
    _, table, described = fitted(case.name)
    trees = described.structure
    leaf = trees.left < 0
    inner = np.flatnonzero(~leaf)
    np.testing.assert_array_equal(trees.left[inner], inner + 1)
    np.testing.assert_array_equal(
        np.sort(np.concatenate([trees.roots, trees.left[inner], trees.right[inner]])), np.arange(len(leaf))
    )
    np.testing.assert_array_equal(trees.roots, np.sort(trees.roots))
    assert (trees.right[leaf] == -1).all()
    assert (trees.feature[leaf] == -1).all()
    assert (trees.values[inner] == 0).all()
    assert ((trees.feature[inner] >= 0) & (trees.feature[inner] < table.shape[1])).all()
    assert ((trees.category_size > 0) == (trees.category_start >= 0)).all()
    assert (trees.category_start + trees.category_size <= len(trees.categories)).all()
    np.testing.assert_allclose(
        trees.cover[trees.left[inner]] + trees.cover[trees.right[inner]], trees.cover[inner], rtol=1e-4
    )
    assert trees.values.shape[1] in (1, trees.n_outputs)
    assert ((trees.output >= 0) == (trees.values.shape[1] == 1)).all()
    assert trees.n_outputs in (1, described.n_outputs)
    for dtype, names in TYPES.items():
        for name in names:
            array = getattr(trees, name)
            assert array.dtype == dtype, name
            assert array.flags.c_contiguous, name


@each(CASES)
def test_descriptions_survive_pickling(case):
    _, table, described = fitted(case.name)
    again = pickle.loads(pickle.dumps(described))
    np.testing.assert_array_equal(again.predict(table), described.predict(table))
