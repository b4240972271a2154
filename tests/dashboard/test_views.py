"""The views of the page in a real browser: their numbers are those of Python, by mouse and by keyboard, in light and in dark."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from automl_explain import ExplanationDashboard, explain_model
from tests.dashboard.pages import CASES, LONG

pytestmark = pytest.mark.slow

CLIPBOARD = """Object.defineProperty(navigator, "clipboard",
  { configurable: true, value: { writeText: async (text) => { window.copied = text; } } })"""
PLACE = """([x, y]) => {
  const view = [...Bokeh.index.roots].find((root) => root.canvas_view);
  const canvas = view.canvas_view.el.getBoundingClientRect();
  return [canvas.left + view.frame.x_scale.compute(x), canvas.top + view.frame.y_scale.compute(y)];
}"""
"""Where a place of the chart lies on the screen."""


@dataclass(frozen=True)
class Case:
    """A page and what Python knows of it."""

    path: Path
    model: Any
    rows: pd.DataFrame
    labels: Any
    explanation: Any


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A function that returns a case of `tests.dashboard.pages` with its page, made once."""
    made: dict[str, Case] = {}
    folder = tmp_path_factory.mktemp("pages")

    def find(name):
        if name not in made:
            model, background, rows, labels = CASES[name]()
            explanation = explain_model(model, background, rows)
            path = ExplanationDashboard(explanation, model, rows, true_labels=labels).save(folder / f"{name}.html")
            made[name] = Case(path, model, rows, labels, explanation.raw)
        return made[name]

    return find


def show(page, tab):
    page.get_by_role("tab", name=tab, exact=True).click()
    page.locator(".axd-view canvas").first.wait_for()


def table_of(page, chart=0):
    """The numbers of a chart, from the button that copies them."""
    page.evaluate(CLIPBOARD)
    figure = page.locator(".axd-view .axd-chart").nth(chart)
    if not figure.get_by_role("button", name="Copy as CSV").count():
        figure.locator("summary").click()
    page.evaluate("window.copied = null")
    figure.get_by_role("button", name="Copy as CSV").click()
    page.wait_for_function("window.copied !== null")
    return pd.read_csv(io.StringIO(page.evaluate("window.copied")), dtype={"Row": str})


def class_values(explanation, name):
    return explanation.local_importance_values[list(map(str, explanation.classes)).index(name)]


# ------------------------------------------------------------------ numbers


def test_importance_is_that_of_the_explanation(case, open_page):
    four = case("four_classes")
    page = open_page(four.path)
    show(page, "Global importance")
    table = table_of(page).set_index("Feature")
    wanted = np.asarray(four.explanation.per_class_values)
    for c, name in enumerate(map(str, four.explanation.classes)):
        np.testing.assert_allclose(table[name][list(four.explanation.feature_labels)], wanted[c], rtol=1e-12)
    page.get_by_text("The chosen class", exact=True).click()
    page.get_by_label("Class", exact=True).select_option(label="2")
    found = table_of(page).set_index("Feature")["Importance"]
    np.testing.assert_allclose(found[list(four.explanation.feature_labels)], wanted[2], rtol=1e-12)
    assert found.is_monotonic_decreasing


def test_the_slider_says_how_many_features_are_drawn(case, open_page):
    page = open_page(case("cancer").path)
    show(page, "Global importance")
    page.get_by_label("Features shown").fill("4")
    assert page.get_by_role("img").first.get_attribute("aria-label") == "Bar chart: importance of 4 features."
    assert "26 more features" in page.locator(".axd-view").inner_text()


@pytest.mark.parametrize(
    ("name", "feature", "label"), [("cancer", "worst area", "malignant"), ("churn", "income", "stays")]
)
def test_points_of_a_feature_are_its_cells_and_values(case, open_page, name, feature, label):
    one = case(name)
    page = open_page(one.path)
    page.get_by_label("Class", exact=True).select_option(label=label)
    show(page, "Explanation exploration")
    page.get_by_label("Feature, most important first").select_option(label=feature)
    table = table_of(page)
    position = list(one.explanation.feature_labels).index(feature)
    wanted = class_values(one.explanation, label)[:, position]
    np.testing.assert_allclose(table[f"importance of {feature}"], wanted, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(table[feature].to_numpy(), one.rows[feature].to_numpy())


def test_boxes_of_a_category_are_its_quartiles(case, open_page):
    churn = case("churn")
    page = open_page(churn.path)
    show(page, "Explanation exploration")
    page.get_by_label("Feature, most important first").select_option(label="plan")
    page.get_by_text("Boxes", exact=True).click()
    table = table_of(page).set_index("plan")
    values = pd.Series(class_values(churn.explanation, "stays")[:, list(churn.rows.columns).index("plan")])
    for level, members in values.groupby(churn.rows["plan"].to_numpy()):
        assert table.loc[level, "Rows"] == len(members)
        np.testing.assert_allclose(table.loc[level, ["First quartile", "Median", "Third quartile"]].to_numpy(dtype=float),
                                   members.quantile([0.25, 0.5, 0.75]), rtol=1e-5, atol=1e-6)  # fmt: skip


@pytest.mark.parametrize("kind", ["Swarm", "Boxes", "Violins"])
def test_the_summary_shows_the_most_important_features(case, open_page, kind):
    cancer = case("cancer")
    page = open_page(cancer.path)
    show(page, "Summary")
    page.get_by_text(kind, exact=True).click()
    table = table_of(page)
    values = pd.DataFrame(class_values(cancer.explanation, "malignant"), columns=cancer.explanation.feature_labels)
    ranked = values.abs().mean().sort_values(ascending=False).index[:12]
    assert list(table["Feature"]) == list(ranked)
    np.testing.assert_allclose(table["Median"], values[ranked].median(), rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------ selection


def test_a_click_on_a_dot_selects_its_row(case, open_page):
    cancer = case("cancer")
    page = open_page(cancer.path)
    show(page, "Explanation exploration")
    feature = page.get_by_label("Feature, most important first").evaluate("list => list.selectedOptions[0].label")
    cells = cancer.rows[feature]
    values = class_values(cancer.explanation, "malignant")[:, list(cancer.rows.columns).index(feature)]
    chosen = int(np.argmax(cells))  # the last point on the right, which no other one covers
    page.mouse.click(*page.evaluate(PLACE, [float(cells.iloc[chosen]), float(values[chosen])]))
    page.get_by_role("button", name=f"Row {chosen} is selected. Drop it").wait_for()
    page.get_by_role("button", name=f"Row {chosen} is selected. Drop it").click()
    assert page.get_by_role("button", name="is selected").count() == 0


def test_at_most_three_rows_are_selected_and_unknown_ones_refused(case, open_page):
    page = open_page(case("regression").path)
    field = page.get_by_label("Name of a row to select")
    for row in ("3", "5", "8", "13"):
        field.fill(row)
        field.press("Enter")
    assert page.locator(".axd-chip > span:first-child").all_inner_texts() == ["Row 5", "Row 8", "Row 13"]
    field.fill("no such row")
    field.press("Enter")
    assert field.evaluate("field => field.validationMessage") == "No row shown is called “no such row”."


def test_a_selection_is_drawn_within_fifty_milliseconds(case, open_page):
    cancer = case("cancer")
    page = open_page(cancer.path)
    show(page, "Explanation exploration")
    feature = page.get_by_label("Feature, most important first").evaluate("list => list.selectedOptions[0].label")
    chosen = int(np.argmax(cancer.rows[feature]))
    value = class_values(cancer.explanation, "malignant")[chosen, list(cancer.rows.columns).index(feature)]
    place = page.evaluate(PLACE, [float(cancer.rows[feature].iloc[chosen]), float(value)])
    page.evaluate("""() => {
      const chips = document.querySelector(".axd-choices");
      document.addEventListener("click", () => { window.clicked = performance.now(); }, true);
      new MutationObserver(() => { window.drawn ??= performance.now(); }).observe(chips, { childList: true });
    }""")
    page.mouse.click(*place)
    page.wait_for_function("window.drawn !== undefined")
    assert page.evaluate("window.drawn - window.clicked") < 50


# ------------------------------------------------------------------ performance and cohorts


def scores_of(page):
    names = page.locator(".axd-cards dt").all_inner_texts()
    return dict(zip(names, page.locator(".axd-cards dd").all_inner_texts(), strict=True))


def test_performance_is_that_of_scikit_learn(case, open_page):
    churn = case("churn")
    page = open_page(churn.path)
    page.get_by_role("tab", name="Performance", exact=True).click()
    probability = churn.model.predict_proba(churn.rows)[:, 1]
    truth = np.asarray(churn.labels) == "stays"
    scores = scores_of(page)
    assert scores["Accuracy"] == f"{np.mean((probability > 0.5) == truth):.1%}"
    assert float(scores["Log loss"]) == pytest.approx(log_loss(truth, probability), rel=5e-3)
    assert float(scores["Area under ROC, stays"]) == pytest.approx(roc_auc_score(truth, probability), rel=5e-3)
    assert float(scores["Average precision, stays"]) == pytest.approx(
        average_precision_score(truth, probability), rel=5e-3
    )
    assert float(scores["Brier score, stays"]) == pytest.approx(brier_score_loss(truth, probability), rel=5e-3)
    page.get_by_label("Threshold on the probability of stays").fill("0.3")
    counts = page.locator(".axd-count b").all_inner_texts()
    given = probability >= 0.3
    assert list(map(int, counts)) == [
        np.sum(truth & given),
        np.sum(truth & ~given),
        np.sum(~truth & given),
        np.sum(~truth & ~given),
    ]


def test_a_cohort_is_laid_over_the_views_with_its_own_metrics(case, open_page):
    churn = case("churn")
    page = open_page(churn.path)
    page.get_by_role("tab", name="Cohorts", exact=True).click()
    page.get_by_role("button", name="Add a filter").click()
    page.get_by_label("Field").select_option(label="age")
    page.get_by_label("From", exact=True).fill("30")
    page.get_by_label("To", exact=True).fill("60")
    page.get_by_role("button", name="Add a filter").click()
    page.get_by_label("Field").nth(1).select_option(label="plan")
    page.get_by_label("S", exact=True).check()
    inside = (churn.rows["age"].between(30, 60) & (churn.rows["plan"] == "S")).to_numpy()
    assert f"{inside.sum()} rows of 800 pass." in page.locator(".axd-builder").inner_text()
    page.get_by_label("Name", exact=True).fill("middle")
    page.get_by_role("button", name="Save the cohort").click()
    assert page.get_by_label("Cohort", exact=True).evaluate("list => list.selectedOptions[0].label") == "middle"
    probability = churn.model.predict_proba(churn.rows)[:, 1]
    assert f"{probability[inside].mean():.1%}" in page.locator(".axd-view tbody tr").nth(1).inner_text()

    page.get_by_role("tab", name="Performance", exact=True).click()
    truth = np.asarray(churn.labels) == "stays"
    cards = scores_of(page)
    assert f"middle: {inside.sum()}" in cards["Rows with a label"]
    found = float(cards["Area under ROC, stays"].split("middle: ")[1])
    assert found == pytest.approx(roc_auc_score(truth[inside], probability[inside]), rel=5e-3)

    show(page, "Global importance")
    values = np.abs(class_values(churn.explanation, "stays"))[inside].mean(axis=0)
    np.testing.assert_allclose(
        table_of(page).set_index("Feature")["middle"][list(churn.rows.columns)], values, rtol=1e-5
    )

    page.get_by_role("tab", name="Cohorts", exact=True).click()
    page.get_by_role("button", name="Remove middle").click()
    assert page.get_by_label("Cohort", exact=True).count() == 0


def test_wrong_predictions_are_one_click_away(case, open_page):
    four = case("four_classes")
    page = open_page(four.path)
    page.get_by_role("tab", name="Cohorts", exact=True).click()
    page.get_by_role("button", name="Wrong predictions").click()
    wrong = int(np.sum(four.model.predict(four.rows) != four.labels))
    assert f"{wrong} ({wrong / 500:.1%})" in page.locator(".axd-view tbody tr").nth(1).inner_text()


def test_residuals_are_truth_less_prediction(case, open_page):
    regression = case("regression")
    page = open_page(regression.path)
    show(page, "Performance")
    predicted = regression.model.predict(regression.rows)
    table = table_of(page, chart=1)
    assert table.columns[2].startswith("residual")
    np.testing.assert_allclose(table.iloc[:, 2], regression.labels - predicted, rtol=1e-9, atol=1e-9)
    error = float(scores_of(page)["Mean absolute error"])
    assert error == pytest.approx(np.abs(regression.labels - predicted).mean(), rel=5e-3)


# ------------------------------------------------------------------ hostile text, keyboard, accessibility, narrow screens


def test_names_are_text(case, open_page):
    page = open_page(case("churn").path)
    show(page, "Explanation exploration")
    page.get_by_label("Feature, most important first").select_option(label="city")
    assert page.locator("b:has-text('and'), i:has-text('s')").count() == 0
    show(page, "Global importance")
    names = table_of(page)["Feature"]
    assert LONG in set(names)


def test_a_row_can_be_selected_with_the_keyboard_alone(case, open_page):
    page = open_page(case("cancer").path)
    focused = "document.activeElement.textContent"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "tab":
            break
    assert page.evaluate(focused) == "Data exploration"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "Explanation exploration"
    assert page.get_by_role("tab", selected=True).first.inner_text() == "Explanation exploration"
    page.keyboard.press("End")
    page.keyboard.press("Home")
    assert page.evaluate(focused) == "Data exploration"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Select row 0":
            break
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Row 0 is selected. Drop it").wait_for()
    assert page.evaluate(focused) == "Selected"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_of_axe_is_broken(case, open_page, scheme):
    axe = pytest.importorskip("axe_playwright_python")
    page = open_page(case("churn").path, color_scheme=scheme)
    page.get_by_label("Name of a row to select").fill("3")
    page.get_by_label("Name of a row to select").press("Enter")
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    for tab in page.get_by_role("tablist", name="Views of all rows").get_by_role("tab").all():
        tab.click()
        page.wait_for_timeout(300)
        for summary in page.locator("summary").all():
            summary.click()
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        assert not [(one["id"], one["nodes"][0]["html"]) for one in found], tab.inner_text()


def test_a_narrow_page_does_not_scroll_sideways(case, open_page):
    page = open_page(case("churn").path, viewport={"width": 400, "height": 800})
    for tab in page.get_by_role("tablist", name="Views of all rows").get_by_role("tab").all():
        tab.click()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, tab.inner_text()


def test_a_table_is_copied_as_csv_that_spreadsheets_do_not_run(case, open_page):
    page = open_page(case("churn").path)
    show(page, "Data exploration")
    page.get_by_label("Horizontal axis").select_option(label="city")
    table_of(page)
    cells = list(csv.reader(io.StringIO(page.evaluate("window.copied"))))
    assert len(cells) == 801
    assert {row[1] for row in cells[1:]} == {
        "Rome",
        "Oslo",
        "a town with quite a long name",
        "O\"Neill's <i>",
        "missing",
    }


def test_charts_that_are_gone_are_forgotten(case, open_page):
    page = open_page(case("cancer").path)
    for tab in ("Summary", "Performance", "Global importance") * 3:
        show(page, tab)
    assert page.evaluate("Bokeh.documents.length") == 1
