from itertools import pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sklearn.linear_model import LinearRegression

import automl_explain
from automl_explain import (
    ExplanationNotFoundError,
    InvalidInputError,
    RunHistory,
    explain_model,
    plot_global_importance,
    plot_local,
    plot_summary,
)
from automl_explain.explainers.formatting._colors import BAR_COLOR, LOWERING_COLOR, NEUTRAL_COLOR
from automl_explain.explainers.formatting._names import shortened
from automl_explain.explainers.tables._table import as_table
from automl_explain.plots._beeswarm import HALF_HEIGHT, LEGEND_WIDTH, offsets, shades
from tests import explanation_cases as cases

PLOTS = (plot_global_importance, plot_summary, plot_local)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(params=cases.LOCAL, ids=lambda case: case.__name__)
def explanation(request):
    return request.param()


def row_names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def lengths(ax):
    """What the bars of each row add up to."""
    total = {}
    for container in ax.containers:
        for row, bar in enumerate(getattr(container, "patches", [])):
            total[row] = total.get(row, 0.0) + bar.get_width()
    return [total[row] for row in sorted(total)]


def drawn(ax):
    """Lay the figure out and paint it, so that whatever would warn or fail does."""
    ax.figure.canvas.draw()
    return ax


def texts_inside(ax):
    """Whether every annotation lies between the axis labels' column and the right edge of the picture."""
    renderer = ax.figure.canvas.get_renderer()
    figure = ax.figure.bbox
    boxes = [text.get_window_extent(renderer) for text in ax.texts]
    return all(ax.bbox.x0 - 1 <= box.x0 and box.x1 <= figure.x1 for box in boxes)


class TestEveryExplanation:
    @pytest.mark.parametrize("plot", PLOTS)
    def test_is_drawn_without_a_warning(self, plot, explanation):
        ax = drawn(plot(explanation))
        assert len(row_names(ax)) >= 1
        assert texts_inside(ax)

    @pytest.mark.parametrize("plot", PLOTS)
    def test_row_names_do_not_overlap(self, plot, explanation):
        ax = drawn(plot(explanation))
        boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
        assert all(upper.y0 >= lower.y1 - 1 for upper, lower in pairwise(boxes))

    def test_bars_are_the_importances_in_descending_order(self, explanation):
        ax = plot_global_importance(explanation, top_k=4)
        np.testing.assert_allclose(lengths(ax), explanation.get_ranked_global_values(4), atol=1e-12)
        order = np.argsort(-explanation.global_importance_values, kind="stable")[:4]
        assert row_names(ax) == [shortened(explanation.feature_labels[j], 28) for j in order]
        assert ax.get_ylim()[0] > ax.get_ylim()[1], "the most important feature is at the top"

    def test_points_lie_at_the_values(self, explanation):
        ax = plot_summary(explanation, top_k=3)
        values = explanation.local_importance_values
        if explanation.classes is not None:
            several = len(explanation.classes) > 2
            values = values[np.abs(values).mean(axis=1).sum(axis=1).argmax() if several else -1]
        order = np.argsort(-np.abs(values).mean(axis=0), kind="stable")[:3]
        drawn = np.concatenate([points.get_offsets() for points in ax.collections])
        assert len(drawn) == values.shape[0] * len(order)
        for place, j in enumerate(order):
            x, y = drawn[np.rint(drawn[:, 1]) == place].T
            np.testing.assert_array_equal(np.sort(x), np.sort(values[:, j]))
            assert np.all(np.abs(y - place) <= HALF_HEIGHT + 1e-12)
        assert row_names(ax) == [shortened(explanation.feature_labels[j], 28) for j in order]

    def test_waterfall_leads_from_the_expected_value_to_the_prediction(self, explanation):
        ax = plot_local(explanation, 0, top_k=3)
        position = 0
        if explanation.classes is not None:
            several = len(explanation.classes) > 2
            position = int(np.argmax(explanation.predictions[0])) if several else 1
        bars = ax.containers[0].patches
        assert bars[0].get_x() == pytest.approx(explanation.expected_values[position])
        end = bars[-1].get_x() + bars[-1].get_width()
        assert end == pytest.approx(explanation.predictions[0, position])
        for before, after in pairwise(bars):
            assert after.get_x() == pytest.approx(before.get_x() + before.get_width())
        hidden = explanation.num_features - 3
        names = row_names(ax)
        assert (names[0], names[-1]) == ("expected value", "output")
        assert (f"{hidden} other features" in names or hidden == 1) == (hidden > 0)


class TestImportance:
    def test_binary_bars_are_of_one_piece(self):
        assert len(plot_global_importance(cases.binary()).containers) == 1

    def test_stacked_parts_are_shares_of_each_class(self):
        explanation = cases.multiclass()
        ax = plot_global_importance(explanation)
        order = np.argsort(-explanation.global_importance_values, kind="stable")
        for class_, container in enumerate(ax.containers):
            widths = [bar.get_width() for bar in container.patches]
            np.testing.assert_allclose(widths, explanation.per_class_values[class_, order] / 3)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1", "2"]

    def test_classes_beyond_the_colours_are_put_together(self):
        ax = plot_global_importance(cases.many_classes())
        assert ax.get_legend().get_texts()[-1].get_text() == "5 other classes"
        assert to_hex(ax.containers[-1].patches[0].get_facecolor()) == NEUTRAL_COLOR

    def test_legend_covers_no_bar(self):
        ax = drawn(plot_global_importance(cases.many_classes()))
        legend = ax.get_legend().get_window_extent()
        assert not any(bar.get_window_extent().overlaps(legend) for box in ax.containers for bar in box.patches)

    def test_one_class(self):
        explanation = cases.multiclass()
        ax = plot_global_importance(explanation, class_=2, top_k=5)
        np.testing.assert_allclose(lengths(ax), np.sort(explanation.per_class_values[2])[::-1][:5])
        assert "class 2" in ax.get_title(loc="left")
        assert "5 of 10 features" in ax.get_title(loc="left")
        assert "probability" in ax.get_xlabel()

    def test_global_values_alone(self):
        ax = drawn(plot_global_importance(cases.global_only()))
        assert lengths(ax) == [0.5, 0.1, -0.25]
        assert ax.get_xlim()[0] < -0.25
        assert ax.get_xlabel() == "decrease of r2 when shuffled"

    def test_stacking_needs_classes(self):
        with pytest.raises(InvalidInputError, match="importance per class"):
            plot_global_importance(cases.regression(), stacked=True)


class TestSummary:
    def test_low_and_high_values_have_the_ends_of_the_colour_map(self):
        values = np.arange(50, dtype=float)
        explanation = cases.attributed(values[:, None], features=("x",), data=values[:, None])
        colors = plot_summary(explanation).collections[0].get_facecolors()
        assert to_hex(colors[0]) != to_hex(colors[-1])
        brightness = colors[:, :3] @ [0.2126, 0.7152, 0.0722]
        assert np.all(np.diff(brightness) > -0.01), "lightness rises with the value, so that it reads in grey too"

    @pytest.mark.parametrize(("name", "grey"), [("gaps", "missing values"), ("constant", "constants")])
    def test_grey_is_explained(self, name, grey):
        table = cases.frame()[[name]]
        explanation = cases.attributed(np.ones((cases.N_ROWS, 1)), features=(name,), data=table)
        ax = plot_summary(explanation)
        assert ax.get_xlabel().endswith(f"grey: {grey}")
        is_grey = [to_hex(color) == NEUTRAL_COLOR for color in ax.collections[0].get_facecolors()]
        assert is_grey == (table[name].isna().tolist() if name == "gaps" else [True] * len(table))

    def test_columns_of_texts_are_grey_and_long_names_of_categories_are_wrapped(self):
        texts = [f"text {number}" for number in range(cases.N_ROWS)]
        cities = [f"Some long city {number % 5}" for number in range(cases.N_ROWS)]
        table = pd.DataFrame({"review": texts, "home": cities})
        explanation = cases.attributed(np.ones((cases.N_ROWS, 2)), features=("review", "home"), data=table)
        ax = plot_summary(explanation)
        _, *legend, grey = ax.get_xlabel().split("\n")
        assert grey == "grey: texts"
        assert " ".join(legend).count("Some") == 5
        assert max(map(len, legend)) <= LEGEND_WIDTH

    def test_categories_have_marks_of_their_own(self):
        table = cases.frame()[["city"]]
        explanation = cases.attributed(np.ones((cases.N_ROWS, 1)), features=("city",), data=table)
        ax = plot_summary(explanation)
        counts = table["city"].value_counts()
        common = [points for points in ax.collections if to_hex(points.get_facecolors()[0]) != NEUTRAL_COLOR]
        assert sorted(len(points.get_offsets()) for points in common) == sorted(counts.head(5))
        assert all(mark in ax.get_xlabel() for mark in "●■")
        assert sum(len(points.get_offsets()) for points in ax.collections) == cases.N_ROWS

    def test_colour_bar_only_where_a_point_is_coloured(self):
        assert len(plot_summary(cases.binary()).figure.axes) == 2
        assert len(plot_summary(cases.negative_only()).figure.axes) == 1

    def test_default_class_of_two_is_the_positive_one(self):
        assert plot_summary(cases.binary()).get_xlabel().startswith("contribution to the log-odds of class yes")

    def test_of_very_many_rows_some_are_drawn_and_the_title_says_so(self):
        ax = plot_summary(cases.attributed(np.random.default_rng(0).normal(size=(9000, 2))))
        assert len(ax.collections[0].get_offsets()) == 4000
        assert "4,000 of 9,000 rows" in ax.get_title(loc="left")

    def test_global_values_alone_are_refused(self):
        with pytest.raises(InvalidInputError, match="no local values"):
            plot_summary(cases.global_only())

    def test_no_rows_are_refused(self):
        with pytest.raises(InvalidInputError, match="no rows"):
            plot_summary(cases.binary()[[]])


class TestBeeswarm:
    def test_equal_values_lie_side_by_side(self):
        y = offsets(np.zeros(41), -1.0, 1.0)
        assert len(np.unique(y)) == 41
        assert y.sum() == pytest.approx(0, abs=1e-9)
        assert np.abs(y).max() <= HALF_HEIGHT

    def test_lonely_points_stay_in_the_middle(self):
        np.testing.assert_array_equal(offsets(np.linspace(0, 1, 20), 0.0, 1.0), 0.0)

    @pytest.mark.parametrize(
        ("column", "expected"),
        [
            ([3.0, 1.0, 2.0], [1, 0, 0.5]),
            ([5.0, 5.0, 9.0], [0, 0, 1]),
            ([1.0, np.nan, 2.0], [0, np.nan, 1]),
            ([7.0, 7.0, 7.0], [np.nan] * 3),
            ([True, False, True], [1, 0, 1]),
            (pd.to_datetime(["2024-01-02", None, "2024-01-01"]), [1, np.nan, 0]),
            (pd.Categorical(["b", "a", "c"]), [np.nan] * 3),
            (pd.Categorical(["S", "L", None], categories=["S", "L"], ordered=True), [0, 1, np.nan]),
            (pd.array([1, None, 3], dtype="Int64"), [0, np.nan, 1]),
            (pd.Series([1, None, 3], dtype=object), [0, np.nan, 1]),
            (pd.Series([True, None, False], dtype=object), [1, np.nan, 0]),
            (["x", "y", "z"], [np.nan] * 3),
        ],
    )
    def test_shades_are_ranks(self, column, expected):
        shade = shades(as_table(pd.DataFrame({"x": column})), 0)
        np.testing.assert_allclose(shade.ranks, expected)
        assert bool(shade.grey) == bool(np.isnan(np.array(expected, dtype=float)).any())


class TestLocal:
    def test_names_carry_the_row_s_values(self):
        explanation = cases.regression()
        names = " | ".join(row_names(plot_local(explanation, 0, top_k=10)))
        joined = cases.frame()["joined"][0].date()
        for part in (f"joined = {joined}", "gaps = missing", "word = missing", "constant = 1", "member = "):
            assert part in names
        assert "$price$ <b> = " in names

    def test_raising_and_lowering_have_their_colours(self):
        explanation = cases.attributed([[2.0, -1.0, 0.5]], features=("a", "b", "c"))
        bars = plot_local(explanation).containers[0].patches
        assert [to_hex(bar.get_facecolor()) for bar in bars] == [BAR_COLOR, LOWERING_COLOR, BAR_COLOR]
        assert [bar.get_width() for bar in bars] == [2.0, -1.0, 0.5]

    def test_values_are_written_with_their_sign(self):
        ax = plot_local(cases.attributed([[2.0, -1.0]]))
        assert [text.get_text() for text in ax.texts] == ["+2.00", "−1.00", "0.500", "1.50"]  # noqa: RUF001

    def test_several_classes_show_the_predicted_one(self):
        explanation = cases.multiclass()
        predicted = int(explanation.predictions[4].argmax())
        assert f"class {predicted}" in plot_local(explanation, 4).get_title(loc="left")

    def test_title_says_row_and_outputs(self):
        title = plot_local(cases.attributed([[2.0, -1.0]])).get_title(loc="left")
        assert title == "Row 0 (expected 0.500, predicted 1.50)"

    def test_negative_rows_count_from_the_end(self):
        assert "Row 59" in plot_local(cases.regression(), -1).get_title(loc="left")

    def test_standard_errors_are_whiskers(self):
        assert len(plot_local(cases.sampled(), 0, class_="a").containers) == 2
        assert len(plot_local(cases.binary(), 0).containers) == 1


class TestBadInput:
    @pytest.mark.parametrize("plot", PLOTS)
    def test_unknown_class_lists_those_there_are(self, plot):
        with pytest.raises(InvalidInputError, match=r"no class 'yse'.*\['no', 'yes'\].*Did you mean 'yes'"):
            plot(cases.binary(), class_="yse")

    @pytest.mark.parametrize("plot", PLOTS)
    def test_a_regression_has_no_class(self, plot):
        with pytest.raises(InvalidInputError, match="omitted for a regression"):
            plot(cases.regression(), class_="yes")

    @pytest.mark.parametrize("plot", PLOTS)
    @pytest.mark.parametrize("top_k", [0, -1, 2.5, "3", True, None])
    def test_top_k(self, plot, top_k):
        with pytest.raises(InvalidInputError, match="'top_k' parameter must be an integer, 1 or more"):
            plot(cases.binary(), top_k=top_k)

    @pytest.mark.parametrize("row", [60, -61, "first", 1.0, True])
    def test_row_out_of_range(self, row):
        with pytest.raises(InvalidInputError, match="from 0 to 59"):
            plot_local(cases.binary(), row)

    @pytest.mark.parametrize("plot", PLOTS)
    @pytest.mark.parametrize("thing", [None, 3, pd.DataFrame({"a": [1]}), np.zeros((2, 2))])
    def test_not_an_explanation(self, plot, thing):
        with pytest.raises(InvalidInputError, match="Expected a ModelExplanation"):
            plot(thing)

    @pytest.mark.parametrize(("label", "title"), [(1, "class 1"), ("1", "class 1"), (np.int64(1), "class 1")])
    def test_labels_are_found_by_value_or_text(self, label, title):
        assert title in plot_summary(cases.multiclass(), class_=label).get_title(loc="left")

    def test_boolean_labels(self):
        assert "class False" in plot_summary(cases.boolean_classes(), class_=False).get_title(loc="left")
        assert "class True" in plot_summary(cases.boolean_classes()).get_title(loc="left")

    def test_a_failed_call_leaves_no_figure(self):
        with pytest.raises(InvalidInputError):
            plot_local(cases.binary(), 99)
        assert plt.get_fignums() == []


class TestManners:
    @pytest.mark.parametrize("plot", PLOTS)
    def test_the_caller_s_axes_are_used_and_no_other_figure_is_made(self, plot):
        ax = Figure().add_subplot()
        assert plot(cases.binary(), ax=ax) is ax
        assert plt.get_fignums() == []

    @pytest.mark.parametrize("plot", PLOTS)
    def test_a_figure_of_its_own_is_known_to_pyplot(self, plot):
        ax = plot(cases.binary())
        assert plt.gcf() is ax.figure

    @pytest.mark.parametrize("plot", PLOTS)
    def test_settings_stay_as_they_were(self, plot):
        before = mpl.rcParams.copy()
        plot(cases.binary())
        assert before == mpl.rcParams

    @pytest.mark.parametrize("plot", PLOTS)
    def test_dark_style(self, plot):
        with plt.style.context("dark_background"):
            ax = drawn(plot(cases.binary()))
            assert all(text.get_color() == "white" for text in ax.texts)

    def test_model_explanations_and_runs_are_taken_as_well(self, tmp_path):
        X = np.random.default_rng(0).normal(size=(30, 3))
        explained = explain_model(LinearRegression().fit(X, X[:, 0]), X, X)
        assert lengths(plot_global_importance(explained))[0] > 0
        history = RunHistory(tmp_path)
        fields = {"learner": "lgbm", "config": {}, "loss": 1.0, "metric": "mse", "kind": "trial", "sample_size": None}
        search = history.start_search("flaml", "regression", {})
        rows = [fields | {"number": number, "status": "captured", "why": ""} for number in range(2)]
        first, second = history.add_runs(search, rows)
        history.store(first, explained.explanation)
        assert lengths(plot_global_importance(history.run(first)))[0] > 0
        with pytest.raises(ExplanationNotFoundError):
            plot_global_importance(history.run(second))

    def test_public_names(self):
        for plot in PLOTS:
            assert getattr(automl_explain, plot.__name__) is plot
