"""Global explanations of some rows, and of all rows in batches, by every explainer; and models that are functions."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from automl_explain import (
    DecisionTreeExplainableModel,
    InvalidInputError,
    KernelExplainer,
    LIMEExplainer,
    LinearExplainer,
    MimicExplainer,
    PFIExplainer,
    SamplingOptions,
    SamplingPolicy,
    TabularExplainer,
    TreeExplainer,
)

X = np.random.default_rng(0).normal(size=(200, 5))
TARGET = X[:, 0] + 0.5 * X[:, 1] * X[:, 2]
CLASSES = np.digitize(TARGET, [-0.5, 0.5])

EXPLAINERS = {
    "tabular": lambda: TabularExplainer(RandomForestClassifier(5, random_state=0).fit(X, CLASSES), X),
    "tree": lambda: TreeExplainer(RandomForestRegressor(5, random_state=0).fit(X, TARGET)),
    "linear": lambda: LinearExplainer(LogisticRegression().fit(X, CLASSES), X),
    "kernel": lambda: KernelExplainer(LinearRegression().fit(X, TARGET), X[:20]),
    "mimic": lambda: MimicExplainer(LogisticRegression().fit(X, CLASSES), X, DecisionTreeExplainableModel),
}


@pytest.fixture(scope="module", params=EXPLAINERS)
def explainer(request):
    return EXPLAINERS[request.param]()


def test_streaming_ranks_as_keeping_all_values_does(explainer):
    kept = explainer.explain_global(X)
    for n_rows in (1000, 33):
        streamed = explainer.explain_global(X, include_local=False, batch_size=n_rows)
        assert streamed.local_importance_values is None
        assert streamed.get_ranked_global_names() == kept.get_ranked_global_names()
        np.testing.assert_allclose(streamed.global_importance_values, kept.global_importance_values, rtol=1e-9)
        if kept.classes is not None:
            np.testing.assert_allclose(streamed.per_class_values, kept.per_class_values, rtol=1e-9)


@pytest.mark.parametrize("include_local", [True, False])
def test_a_sample_is_explained_and_said(explainer, include_local):
    policy = SamplingPolicy(60, random_state=3)
    explanation = explainer.explain_global(X, sampling_policy=policy, include_local=include_local)
    chosen = np.sort(np.random.default_rng(3).choice(200, 60, replace=False))
    expected = explainer.explain_global(X[chosen])
    np.testing.assert_allclose(
        explanation.global_importance_values, expected.global_importance_values, rtol=1e-9, atol=1e-12
    )
    assert explanation.notes == (*expected.notes, "rows: 60 of 200, drawn with seed 3")
    other = explainer.explain_global(X, sampling_policy=SamplingPolicy(60, random_state=4))
    assert not np.allclose(other.global_importance_values, explanation.global_importance_values)


def test_a_table_that_is_small_enough_is_explained_whole(explainer):
    whole = explainer.explain_global(X, sampling_policy=200)
    assert whole.num_examples == 200
    assert not any(note.startswith("rows:") for note in whole.notes)


@pytest.mark.parametrize("rows", [0, -1, 1.5, True, "many"])
def test_a_policy_that_is_no_number_of_rows_is_refused(explainer, rows):
    with pytest.raises(InvalidInputError, match="must be a SamplingPolicy, or a number of rows"):
        explainer.explain_global(X, sampling_policy=rows)


def test_permutation_importance_draws_labels_and_weights_with_the_rows():
    model, weights = RandomForestClassifier(5, random_state=0).fit(X, CLASSES), np.arange(1.0, 201.0)
    explain = PFIExplainer(model, metric="accuracy").explain_global
    chosen = np.sort(np.random.default_rng(3).choice(200, 60, replace=False))
    drawn = explain(X, CLASSES, sample_weight=weights, sampling_policy=SamplingPolicy(60, random_state=3))
    expected = explain(X[chosen], CLASSES[chosen], sample_weight=weights[chosen])
    np.testing.assert_array_equal(drawn.importances, expected.importances)
    assert drawn.notes == ("rows: 60 of 200, drawn with seed 3",)
    assert explain(X, CLASSES, sampling_policy=200).notes == ()


def test_lime_explains_the_rows_drawn():
    explainer = LIMEExplainer(RandomForestRegressor(5, random_state=0).fit(X, TARGET), X, nsamples=100)
    chosen = np.sort(np.random.default_rng(0).choice(200, 20, replace=False))
    drawn = explainer.explain_global(X, sampling_policy=20)
    np.testing.assert_allclose(
        drawn.local_importance_values, explainer.explain_local(X[chosen]).local_importance_values, rtol=1e-12
    )
    assert drawn.notes[-1] == "rows: 20 of 200, drawn with seed 0"


class Service:
    """A callable that returns predictions and has a `predict` method that does not."""

    def predict(self, rows):
        raise AssertionError("not this one")

    def __call__(self, rows):
        return rows[:, 0] * 3 + rows[:, 1]


def test_the_call_of_an_object_that_also_predicts_is_a_function():
    explanation = TabularExplainer(Service().__call__, X[:30]).explain_local(X[:4])
    expected = np.zeros((4, 5))
    expected[:, :2] = (X[:4, :2] - X[:30, :2].mean(axis=0)) * [3, 1]
    np.testing.assert_allclose(explanation.local_importance_values, expected, atol=1e-9)


def test_the_notes_of_batches_are_those_of_the_least_certain_rows():
    rng = np.random.default_rng(0)
    background, weights = rng.normal(size=(30, 60)), rng.normal(size=60)
    rows = np.vstack([10 * background[:4], 0 * background[:4]])
    explainer = KernelExplainer(
        lambda Z: np.tanh(Z @ weights) * np.abs(Z).max(axis=1),
        background,
        sampling=SamplingOptions(tolerance=0.3, max_evaluations=20 * 8 * 600, background_size=20),
        progress=False,
    )
    assert "above the tolerance" in explainer.explain_global(rows).notes[-1]
    assert "above the tolerance" in explainer.explain_global(rows, include_local=False, batch_size=4).notes[-1]


@pytest.mark.parametrize("batch_size", [0, -3, 2.5, True])
def test_batches_hold_a_number_of_rows(batch_size):
    X = np.random.default_rng(0).normal(size=(10, 2))
    with pytest.raises(InvalidInputError, match="'batch_size' parameter must be an integer, 1 or more"):
        TabularExplainer(LinearRegression().fit(X, X[:, 0]), X).explain_global(
            X, include_local=False, batch_size=batch_size
        )


@pytest.mark.parametrize("seed", [-1, None, 0.5])
def test_a_draw_has_a_seed(seed):
    with pytest.raises(InvalidInputError, match="'random_state' parameter must be an integer"):
        SamplingPolicy(5, random_state=seed)
