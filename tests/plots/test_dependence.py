"""How a feature acts: its points, the choice of the second feature, importance by category, interactions."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from automl_explain import InvalidInputError, importance_by_category, plot_dependence, plot_interactions
from automl_explain.analysis._partners import interaction_strengths, strongest_partner
from automl_explain.display._class_view import view_class
from tests import explanation_cases as cases

RANDOM = np.random.default_rng(0)
N = 400
TABLE = pd.DataFrame(
    {
        "calls": RANDOM.normal(size=N),
        "plan": RANDOM.choice(["basic", "plus", "pro"], N),
        "login": pd.Timestamp("2025-01-01") + pd.to_timedelta(RANDOM.integers(0, 365, N), "D"),
        "noise": RANDOM.normal(size=N),
    }
)
TABLE.loc[::10, "noise"] = np.nan
SLOPE = TABLE["plan"].map({"basic": 1.0, "plus": 0.0, "pro": -1.0}).to_numpy()
VALUES = np.column_stack(
    [
        TABLE["calls"] * (1 + SLOPE),
        SLOPE + 0.2 * TABLE["calls"],
        TABLE["login"].dt.day_of_year / 365 + 0.001 * RANDOM.normal(size=N),
        np.zeros(N),
    ]
)
EXPLANATION = cases.attributed(VALUES, features=tuple(TABLE.columns), data=TABLE)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def points(ax):
    return np.concatenate([one.get_offsets() for one in ax.collections if len(one.get_offsets()) > 1])


def test_points_of_a_number_lie_at_its_values():
    ax = plot_dependence(EXPLANATION, "calls", color_by=None)
    np.testing.assert_allclose(points(ax), np.column_stack([TABLE["calls"], VALUES[:, 0]]))


def test_points_of_a_date_have_an_axis_of_dates():
    ax = plot_dependence(EXPLANATION, "login", color_by=None)
    assert "ConciseDateFormatter" in type(ax.xaxis.get_major_formatter()).__name__
    assert len(points(ax)) == N


def test_categories_are_ordered_by_their_mean_and_missing_numbers_are_apart():
    ax = plot_dependence(EXPLANATION, "plan")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["basic", "plus", "pro"]
    ax = plot_dependence(EXPLANATION, "noise", color_by=None)
    apart = points(ax)[:, 0] < TABLE["noise"].min()
    assert apart.sum() == TABLE["noise"].isna().sum()
    assert "40 missing values" in ax.get_title(loc="left")


def test_the_strongest_interaction_colours_the_points():
    view = view_class(EXPLANATION, None)
    assert strongest_partner(view, 0) == 1
    assert strongest_partner(view, 2) is None
    assert interaction_strengths(view, 0)[[0, 3]].max() < 0.05
    assert interaction_strengths(view, 3).max() == 0.0
    legend = plot_dependence(EXPLANATION, "calls").get_legend()
    assert legend.get_title().get_text() == "plan"
    assert len(plot_dependence(EXPLANATION, "plan", color_by="calls").figure.axes) == 2


def test_importance_by_category():
    table = importance_by_category(EXPLANATION, "plan")
    grouped = pd.Series(VALUES[:, 1]).groupby(TABLE["plan"])
    assert table.index.tolist() == ["basic", "plus", "pro"]
    pd.testing.assert_series_equal(table["mean"], grouped.mean(), check_names=False)
    assert table["rows"].sum() == N
    assert len(importance_by_category(EXPLANATION, "noise")) == 5


def test_interactions_are_whole_and_named():
    values = np.zeros((5, 3, 3))
    values[:, 0, 1] = values[:, 1, 0] = -0.25
    values[:, 2, 2] = 1.0
    ax = plot_interactions(values, ["a", "b", "c"], top_k=3)
    texts = {text.get_text() for text in ax.texts}
    assert {"0.500", "1.00"} <= texts
    assert len(plot_interactions(np.stack([values, values]), class_=0).get_yticks()) == 3


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot_dependence(EXPLANATION, "cals"), "Did you mean 'calls'"),
        (lambda: plot_dependence(EXPLANATION, "calls", color_by="plann"), "Did you mean 'plan'"),
        (lambda: plot_dependence(EXPLANATION, 7), "There is no feature 7"),
        (lambda: plot_dependence(cases.global_only(), 0), "no local values"),
        (lambda: plot_interactions(np.zeros((3, 2))), "interaction_values"),
        (lambda: plot_interactions("text"), "Got str"),
        (lambda: plot_interactions(None), "interaction_values"),
        (lambda: plot_interactions(np.zeros((3, 2, 2)), ["a"]), "must name 2"),
        (lambda: plot_interactions(np.zeros((2, 3, 2, 2)), class_=5), "number of a class"),
    ],
)
def test_what_cannot_be_drawn(draw, message):
    with pytest.raises(InvalidInputError, match=message):
        draw()


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.__name__)
def test_every_explanation_with_data_is_drawn(case):
    explanation = case()
    if explanation.local_importance_values is None or explanation.data is None:
        pytest.skip("no local values or no data")
    for j in range(min(explanation.num_features, 4)):
        plot_dependence(explanation, j).figure.canvas.draw()
        plt.close("all")
