"""Global values of parts of a table, merged: the same however the rows are divided and in whatever order they are merged."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

from automl_explain import (
    ColumnMismatchError,
    Explanation,
    InvalidInputError,
    KernelExplainer,
    PartialImportance,
    SamplingOptions,
    TabularExplainer,
)

X = np.random.default_rng(0).normal(size=(300, 4)) * [1, 1e-6, 1e6, 1]
LABELS = np.digitize(X[:, 0], [-0.5, 0.5])
EXPLAINERS = {
    "regression": TabularExplainer(LinearRegression().fit(X, X[:, 0]), X[:50]),
    "classes": TabularExplainer(RandomForestClassifier(4, max_depth=3, random_state=0).fit(X, LABELS), X[:50]),
}
WHOLE = {name: explainer.explain_local(X) for name, explainer in EXPLAINERS.items()}
CUTS = st.lists(st.integers(0, 300), max_size=6).map(lambda cuts: [0, *sorted(cuts), 300])


def partial(explanation):
    part = PartialImportance()
    part.add(explanation)
    return part


def same(found, whole):
    np.testing.assert_allclose(found.global_importance_values, whole.global_importance_values, rtol=1e-13)
    if whole.is_classification:
        np.testing.assert_allclose(found.per_class_values, whole.per_class_values, rtol=1e-13)


@pytest.mark.parametrize("name", EXPLAINERS)
@settings(max_examples=30)
@given(cuts=CUTS, seed=st.integers(0, 9))
def test_the_merged_values_are_those_of_the_table(name, cuts, seed):
    whole = WHOLE[name]
    parts = [partial(whole.select(rows=slice(*ends))) for ends in itertools.pairwise(cuts) if ends[0] < ends[1]]
    np.random.default_rng(seed).shuffle(parts)
    merged = PartialImportance()
    for part in parts:
        merged.merge(part)
    assert merged.num_rows == 300
    same(merged.explanation(), whole)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_intervals_of_few_rows_are_those_of_the_rows(name):
    whole = WHOLE[name]
    found, expected = partial(whole).explanation().global_importance(), whole.global_importance()
    np.testing.assert_allclose(found.low, expected.low, rtol=1e-12)
    np.testing.assert_allclose(found.high, expected.high, rtol=1e-12)
    if whole.is_classification:
        np.testing.assert_allclose(found.class_high, expected.class_high, rtol=1e-12)


def test_intervals_of_many_rows_are_about_those_of_the_rows():
    rows = np.random.default_rng(1).normal(size=(20_000, 4))
    whole = EXPLAINERS["regression"].explain_local(rows)
    found, expected = partial(whole).explanation().global_importance(), whole.global_importance()
    np.testing.assert_allclose(found.high - found.low, expected.high - expected.low, rtol=0.15)


def test_rounding_does_not_add_up():
    whole = WHOLE["regression"]
    merged = PartialImportance()
    for _ in range(200):
        for scale in (1e12, 1.0):
            values = np.full((1024, 4), scale / 3)
            merged.add(Explanation(values, np.zeros(1), None, None, "response", whole.method, whole.reason))
    expected = (1e12 / 3 + 1 / 3) / 2
    np.testing.assert_array_max_ulp(merged.explanation().global_importance_values, np.full(4, expected), 4)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_a_merged_explanation_is_stored_and_merged_further(name, tmp_path):
    whole = WHOLE[name]
    partial(whole.select(rows=slice(0, 120))).explanation().save(tmp_path / "first")
    merged = partial(Explanation.load(tmp_path / "first"))
    merged.add(whole.select(rows=slice(120, 300)))
    same(merged.explanation(), whole)
    some = merged.explanation().select(features=[2, 0]).global_importance()
    np.testing.assert_allclose(some.values, merged.explanation().global_importance().values[[2, 0]], rtol=1e-13)


def test_the_notes_are_those_of_the_least_certain_rows():
    explainer = KernelExplainer(
        lambda Z: np.tanh(Z).prod(axis=1), X[:5], sampling=SamplingOptions(nsamples=6), progress=False
    )
    parts = [explainer.explain_local(X[rows]) for rows in (slice(0, 3), slice(3, 6))]
    errors = [part.standard_errors.max() for part in parts]
    for order in (parts, parts[::-1]):
        merged = PartialImportance()
        for part in order:
            merged.merge(partial(part))
        assert merged.explanation().largest_error == max(errors)
        assert merged.explanation().notes == parts[int(np.argmax(errors))].notes


def test_what_cannot_be_merged_is_refused():
    with pytest.raises(InvalidInputError, match="neither rows nor merged rows"):
        partial(WHOLE["regression"].select(rows=[0]).__class__(
            None, np.zeros(1), None, None, "response", "linear", "", global_values=np.ones(4)
        ))  # fmt: skip
    with pytest.raises(ColumnMismatchError, match="same model and features"):
        partial(WHOLE["regression"]).merge(partial(WHOLE["classes"]))
    with pytest.raises(InvalidInputError, match="at least one row"):
        PartialImportance().explanation()
    with pytest.raises(InvalidInputError, match="'sample_weight' parameter needs the values of rows"):
        partial(WHOLE["regression"]).explanation().global_importance(np.ones(300))
