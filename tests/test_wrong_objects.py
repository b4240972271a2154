"""Plots, reports and summaries given an object of another kind: one typed error that says what was expected."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import automl_explain
from automl_explain import (
    InvalidInputError,
    RunHistory,
    SearchExplanation,
    plot_dependence,
    plot_global_importance,
    plot_importance_history,
    plot_local,
    plot_member_shares,
    plot_search_importance,
    plot_summary,
    plot_text,
    write_report,
)
from tests import explanation_cases as cases

OF_AN_EXPLANATION = [
    plot_global_importance,
    plot_summary,
    plot_member_shares,
    plot_text,
    lambda source: plot_local(source, 0),
    lambda source: plot_dependence(source, 0),
]
OF_A_SEARCH = [plot_search_importance, plot_importance_history, SearchExplanation.from_runs]
NEITHER = [None, 3, "text", [1, 2], np.ones(3), object()]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_every_plot_is_held_to_this():
    known = {
        "plot_global_importance",
        "plot_summary",
        "plot_member_shares",
        "plot_local",
        "plot_dependence",
        "plot_interactions",  # in tests/plots/test_dependence.py
        "plot_text",
        "plot_residuals",  # in tests/display/test_performance.py
        "plot_image",  # in tests/plots/test_image_plots.py
        *(f.__name__ for f in OF_A_SEARCH[:2]),
    }
    assert {name for name in automl_explain.__all__ if name.startswith("plot_")} <= known


@pytest.mark.parametrize("function", OF_A_SEARCH)
def test_what_takes_a_search_refuses_an_explanation(function):
    with pytest.raises(
        InvalidInputError, match=r"Expected the runs of a search.*Got .*Explanation.*plot_global_importance"
    ):
        function(cases.binary())


@pytest.mark.parametrize("function", [*OF_A_SEARCH, *OF_AN_EXPLANATION, lambda source: write_report("r.html", source)])
@pytest.mark.parametrize("source", NEITHER, ids=lambda source: type(source).__name__)
def test_neither_is_refused(function, source):
    with pytest.raises(InvalidInputError, match=r"^Expected .* Got "):
        function(source)


@pytest.mark.parametrize("function", OF_AN_EXPLANATION)
def test_what_takes_an_explanation_refuses_runs(function, tmp_path):
    with pytest.raises(InvalidInputError, match="Expected"):
        function(RunHistory(tmp_path).runs())


@pytest.mark.parametrize("make", [cases.binary, cases.multiclass, cases.regression, cases.global_only])
def test_a_report_on_one_model_has_its_sections_and_nothing_of_a_search(make, tmp_path):
    explanation = make()
    text = write_report(tmp_path / "r.html", explanation).read_text()
    assert "<h1>Explanation of a model</h1>" in text
    assert 'id="model-0"' in text
    assert 'id="method"' in text
    for word in ("All runs", "best loss", "not explained", "trial"):
        assert word not in text
    assert explanation.feature_labels[0].split("<")[0] in text
