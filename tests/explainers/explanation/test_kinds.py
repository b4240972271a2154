"""The kind of an explanation alone decides how its values are described."""

import warnings
from dataclasses import fields

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from automl_explain import (
    Explanation,
    ExplanationDiff,
    HANTextExplainer,
    ImageExplainer,
    InvalidInputError,
    LIMEExplainer,
    PFIExplainer,
    TabularExplainer,
    plot_global_importance,
    plot_local,
    save_plots,
)
from automl_explain.explainers.explanation._kinds import KINDS
from tests import image_cases

X, Y = load_diabetes(return_X_y=True, as_frame=True)
MODEL = Ridge().fit(X, Y)


def heat_map():
    network = image_cases.small_network(n_outputs=1)[:-1]
    explainer = ImageExplainer(network, method="gradcam", layer="0")
    return explainer.explain_local(image_cases.faces()[0][:8]).overall()


def attention():
    texts = [f"{'good ' * (number % 5)}film with plot {number}" for number in range(40)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the network is hardly trained, and says so
        explainer = HANTextExplainer(
            lambda given: np.array([text.count("good") for text in given], float),
            texts, importance="attention", epochs=1, fine_tune=False, progress=False,
        )  # fmt: skip
        return explainer.explain_local(texts[:8]).overall()


MAKERS = {
    "shapley": lambda: TabularExplainer(MODEL, X).explain_local(X[:8]),
    "permutation": lambda: PFIExplainer(MODEL, metric="r2").explain_global(X, true_labels=Y),
    "local_linear": lambda: LIMEExplainer(MODEL, X, nsamples=60).explain_local(X[:8]),
    "heat_map": heat_map,
    "attention": attention,
}
IMPORTANCE = {
    "shapley": "mean |contribution| (response)",
    "permutation": "decrease of r2 when shuffled",
    "local_linear": "mean |weight| (response)",
    "heat_map": "mean heat",
    "attention": "mean attention",
}


def by_hand(**changes):
    given = {"features": ("a", "b"), "classes": None, "output_space": "response", "method": "by hand", "reason": ""}
    return Explanation(np.ones((3, 2)), np.zeros(1), **(given | changes))


@pytest.fixture(params=MAKERS)
def made(request):
    return request.param, MAKERS[request.param]()


def test_every_kind_has_an_explainer_that_makes_it(made):
    kind, explanation = made
    assert set(MAKERS) == set(KINDS)
    assert explanation.kind == kind
    assert explanation.output_space == "response"
    assert explanation.is_additive == (kind == "shapley")
    assert (explanation.additivity_error is not None) == explanation.is_additive
    assert explanation.metric == ("r2" if kind == "permutation" else None)
    assert explanation.unit == ("r2" if kind == "permutation" else "response")
    assert explanation.unit in repr(explanation)


def test_views_name_the_importance_of_the_kind(made):
    kind, explanation = made
    assert IMPORTANCE[kind] in explanation._repr_html_()
    assert IMPORTANCE[kind] in plot_global_importance(explanation, ax=Figure().add_subplot()).get_xlabel()


def test_kind_and_metric_are_stored(made, tmp_path):
    kind, explanation = made
    explanation.save(tmp_path / "one")
    read = Explanation.load(tmp_path / "one")
    for name in ("kind", "metric", "output_space"):
        assert getattr(read, name) == getattr(explanation, name)
    for name in KINDS[kind].fields:
        np.testing.assert_array_equal(getattr(read, name), getattr(explanation, name))


def test_only_values_that_add_up_are_drawn_as_steps_to_an_output(made, tmp_path):
    _, explanation = made
    names = [path.name for path in save_plots(tmp_path, explanation)]
    assert any(name.startswith("row-") for name in names) == explanation.is_additive
    if explanation.num_examples and not explanation.is_additive:
        with pytest.raises(InvalidInputError, match="do not add up"):
            plot_local(explanation, 0)


def test_a_difference_of_kind_or_metric_is_said():
    shapley, permutation = MAKERS["shapley"](), MAKERS["permutation"]()
    assert "kind differs: shapley and permutation" in ExplanationDiff.between(shapley, permutation).remarks()
    other = PFIExplainer(MODEL, metric="neg_mean_squared_error").explain_global(X, true_labels=Y)
    remarks = ExplanationDiff.between(permutation, other).remarks()
    assert remarks == ["metric differs: r2 and neg_mean_squared_error"]
    assert ExplanationDiff.between(shapley, shapley).remarks() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "shaply"}, r"'kind' parameter must be one of \['shapley', .*\]. Got 'shaply'. Did you mean 'shapley'\?"),
        ({"kind": "permutation"}, "'metric' parameter must name the metric for kind='permutation'. Got None"),
        ({"metric": "r2"}, "'metric' parameter must be left out for kind='shapley'. Got 'r2'"),
        ({"importances": np.ones((2, 5))}, "'importances' parameter belongs to kind='permutation'. Got kind='shapley'"),
        ({"intercepts": np.ones(3)}, "'intercepts' parameter belongs to kind='local_linear'"),
        ({"kind": "permutation", "metric": "r2", "local_fidelity": np.ones(3)}, "'local_fidelity' .* kind='local_linear'"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_the_kind_is_refused(changes, message):
    with pytest.raises(InvalidInputError, match=message):
        by_hand(**changes)


def test_the_fields_of_a_kind_exist():
    names = {field.name for field in fields(Explanation)}
    assert {name for traits in KINDS.values() for name in traits.fields} <= names
