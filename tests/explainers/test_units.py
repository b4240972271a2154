"""Outputs of any unit are held to the same relative accuracy: no threshold is an absolute number."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from automl_explain import (
    AdditivityError,
    AdditivityWarning,
    KernelExplainer,
    LIMEExplainer,
    LinearExplainableModel,
    MimicExplainer,
    TabularExplainer,
)
from automl_explain.explainers._agreement import agree
from automl_explain.explainers.explanation._fidelity import measure_fidelity
from automl_explain.explainers.model._links import find_link

UNITS = [1e-12, 1e-5, 1.0, 1e12]
X = np.random.default_rng(0).normal(size=(200, 4))
SIGNAL = X @ [2, 1, -1, 0.5]
by_unit = pytest.mark.parametrize("unit", UNITS)


@by_unit
def test_columns_that_a_bagged_linear_model_draws_twice_count_twice(unit):
    model = BaggingRegressor(Ridge(), 3, bootstrap_features=True, random_state=1).fit(X, unit * SIGNAL)
    assert any(len(set(columns)) < 4 for columns in model.estimators_features_)
    coef = np.zeros(4)
    for member, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        for value, column in zip(member.coef_, columns, strict=True):
            coef[column] += value / 3
    explanation = TabularExplainer(model, X).explain_local(X[:20])
    expected = coef * (X[:20] - X.mean(axis=0))
    np.testing.assert_allclose(explanation.local_importance_values, expected, rtol=0, atol=1e-12 * unit)


def test_columns_that_a_bagged_classifier_draws_twice_are_read_twice():
    base = LogisticRegression()
    model = BaggingClassifier(base, 4, bootstrap_features=True, random_state=1).fit(X, (SIGNAL > 0).astype(int))
    explanation = TabularExplainer(model, X[:30], output="probability").explain_local(X[:5])
    expected = KernelExplainer(model.predict_proba, X[:30]).explain_local(X[:5])
    np.testing.assert_allclose(explanation.local_importance_values, expected.local_importance_values, atol=1e-9)


@pytest.mark.parametrize(("offset", "little", "much"), [(0.0, 0.01, 0.5), (1e6, 3.0, 12.0)])
@by_unit
def test_values_that_miss_the_prediction_are_refused_in_every_unit(unit, offset, little, much, monkeypatch):
    model = Ridge().fit(X, unit * (SIGNAL + offset))
    explainer = TabularExplainer(model, X)
    right = explainer._engine.attribute

    def wrong_by(share):
        def attribute(rows):
            found = right(rows)
            found.values[..., 0] += share * unit
            return found

        monkeypatch.setattr(explainer._engine, "attribute", attribute)
        return explainer.explain_local(X[:20])

    wrong_by(1e-9)
    with pytest.warns(AdditivityWarning, match="miss the prediction"):
        wrong_by(little)
    with pytest.raises(AdditivityError, match="miss the prediction"):
        wrong_by(much)


def test_outputs_of_different_units_are_judged_one_by_one():
    def predict(table):
        return np.column_stack([1e9 * table[:, 0], 1e-9 * table[:, 1]])

    explainer = KernelExplainer(predict, X[:20])
    right = explainer._engine.attribute

    def attribute(rows):
        found = right(rows)
        found.values[1] *= 1.5
        return found

    explainer._engine.attribute = attribute
    with pytest.raises(AdditivityError):
        explainer.explain_local(X[20:25])


@by_unit
def test_a_link_fits_only_if_it_gives_the_outputs(unit):
    outputs = unit * X[:, :1]
    assert find_link("response", "response", outputs, outputs * (1 + 1e-7)) is not None
    assert find_link("response", "response", outputs, outputs * 1.1) is None
    assert find_link("margin", "response", outputs, outputs[::-1].copy()) is None


@by_unit
def test_outputs_agree_by_their_spread(unit):
    known = unit * X[:, :2]
    assert agree(known + 1e-6 * unit, known, 1e-5)
    assert not agree(known + 1e-3 * unit, known, 1e-5)
    assert not agree(np.full_like(known, np.nan), known, 1e-5)
    assert not agree(known[:3], known, 1e-5)


@by_unit
def test_fidelity_does_not_depend_on_the_unit(unit):
    teacher, surrogate = SIGNAL[:, None], SIGNAL[:, None] + 0.1 * X[:, :1]
    expected = measure_fidelity(teacher, surrogate, "response", True).r2
    assert measure_fidelity(unit * teacher, unit * surrogate, "response", True).r2 == pytest.approx(expected)
    constant = np.full((7, 1), 0.1 * unit)
    assert measure_fidelity(constant, constant, "response", True).r2 == 1.0
    assert measure_fidelity(constant, 2 * constant, "response", True).r2 == 0.0


@by_unit
def test_local_models_are_the_same_in_every_unit(unit):
    def explained(scale):
        explainer = LIMEExplainer(lambda table: scale * table[:, 0] * table[:, 1], X[:100], nsamples=200)
        return explainer.explain_local(X[:4])

    one, other = explained(1.0), explained(unit)
    np.testing.assert_allclose(other.local_fidelity, one.local_fidelity, rtol=1e-6)
    np.testing.assert_allclose(
        other.local_importance_values, unit * one.local_importance_values, rtol=1e-6, atol=1e-12 * unit
    )


@by_unit
def test_two_small_outputs_are_not_taken_for_mirrored(unit):
    def predict(table):
        return unit * np.column_stack([table[:, 0], 3 * table[:, 1]])

    explanation = MimicExplainer(predict, X, LinearExplainableModel).explain_local(X[:5])
    found = explanation.global_importance_values / unit
    assert (found[:2] > 0.1).all(), found
    per_class = explanation.per_class_values / unit
    assert per_class[1, 1] > 0.1
    assert per_class[0, 1] < 0.1


@pytest.mark.parametrize("unit", [1e-15, 1.0, 1e9])
def test_samples_of_lime_stay_in_the_unit_of_a_column(unit):
    table = X * [unit, 1, 1, 1]
    explainer = LIMEExplainer(lambda rows: rows[:, 0] / unit, table, nsamples=300)
    plain = LIMEExplainer(lambda rows: rows[:, 0], X, nsamples=300)
    np.testing.assert_allclose(
        explainer.explain_local(table[:3]).local_importance_values,
        plain.explain_local(X[:3]).local_importance_values,
        atol=1e-5,
    )


def test_a_sparse_cell_stored_in_parts_is_their_sum():
    parts = sparse.csr_matrix(([1.0, 2.0, 4.0], [0, 0, 1], [0, 3]), shape=(1, 4))
    model = Ridge().fit(X, SIGNAL)
    explainer = TabularExplainer(model, sparse.csr_matrix(X))
    found = explainer.explain_local(parts)
    expected = explainer.explain_local(np.array([[3.0, 4.0, 0.0, 0.0]]))
    np.testing.assert_allclose(found.local_importance_values, expected.local_importance_values, atol=1e-12)
    assert parts.nnz == 3, "the caller's matrix was changed"
