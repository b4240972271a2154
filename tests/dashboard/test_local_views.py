"""The views of selected rows in a browser: what they show is what Python computes."""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect
from sklearn.neighbors import KNeighborsRegressor

from automl_explain import ExplanationDashboard, explain_model
from tests.dashboard.cases import select, wait_for_page
from tests.dashboard.pages import churn, four_classes

CATCH_COPIES = "navigator.clipboard.writeText = async (text) => { globalThis.copied = text; }"


@pytest.fixture(scope="module")
def churned(tmp_path_factory):
    """A pipeline with categories, booleans and missing cells, its rows, and its page."""
    model, background, rows, labels = churn()
    dashboard = ExplanationDashboard(explain_model(model, background, rows), model, rows, true_labels=labels)
    return model, rows, dashboard.save(tmp_path_factory.mktemp("page") / "churn.html")


def open_view(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def cell(page, name):
    return page.locator(".axd-fields").get_by_label(name, exact=True)


def after(page, name):
    """The number after the edits in the table of predictions, in full precision."""
    row = page.locator(".axd-before-after tr").filter(has_text=name)
    return float(row.locator("td").nth(1).get_attribute("title"))


def wait_for_answer(page):
    """Wait for the answer to the last edit: the delay has passed and no question is open."""
    wait_for_page(page, 400)
    page.wait_for_function("() => !document.querySelector('.axd-answer').textContent.includes('is asked')")


def copied(page, panel=".axd-localView"):
    """The table of numbers of the first chart of a view, as copied."""
    page.evaluate(CATCH_COPIES)
    box = page.locator(f"{panel} details.axd-numbers").first
    if box.get_attribute("open") is None:
        box.locator("summary").click()
    box.get_by_role("button", name="Copy as CSV").click()
    page.wait_for_function("() => globalThis.copied !== undefined")
    return list(csv.DictReader(io.StringIO(page.evaluate("copied"))))


def test_an_edited_row_has_the_prediction_of_the_model(churned, open_page):
    model, rows, path = churned
    page = open_page(path)
    select(page, 5)
    open_view(page, "What-if")
    page.wait_for_selector(".axd-before-after")
    row = rows.iloc[[5]].copy()
    assert after(page, "Probability of stays") == pytest.approx(model.predict_proba(row)[0, 1], rel=1e-12)
    cell(page, "age").fill("71")
    cell(page, "plan").select_option("L")
    cell(page, "income").fill("")
    cell(page, "member").select_option("False")
    wait_for_answer(page)
    edited = row.assign(age=71, income=np.nan, member=False)
    edited["plan"] = pd.Categorical(["L"], categories=rows["plan"].cat.categories, ordered=True)
    assert after(page, "Probability of stays") == pytest.approx(model.predict_proba(edited)[0, 1], rel=1e-9)
    expect(page.locator(".axd-history li")).to_have_count(4)


@pytest.mark.slow
def test_of_two_quick_edits_the_last_is_answered(churned, open_page):
    model, rows, path = churned
    page = open_page(path)
    select(page, 5)
    open_view(page, "What-if")
    page.wait_for_selector(".axd-before-after")
    for age in ("2", "20", "33", "64"):
        cell(page, "age").fill(age)
    wait_for_answer(page)
    wanted = model.predict_proba(rows.iloc[[5]].assign(age=64))[0, 1]
    assert after(page, "Probability of stays") == pytest.approx(wanted, rel=1e-9)
    expect(page.locator(".axd-history li"), "typing in one field is one edit").to_have_count(1)


DIAMOND = """() => {
  for (const document of Bokeh.documents) {
    for (const model of document._all_models.values()) {
      if (model.type === "GlyphRenderer" && model.glyph.marker?.value === "diamond") {
        return [Array.from(model.data_source.data.x), Array.from(model.data_source.data.y)];
      }
    }
  }
  return null;
}"""


@pytest.mark.slow
def test_the_edited_row_is_a_new_point_in_the_chart_of_all_rows(churned, open_page):
    model, rows, path = churned
    page = open_page(path)
    page.get_by_label("Horizontal axis").select_option("age")
    page.get_by_label("Vertical axis").select_option("probability of stays")
    select(page, 5)
    open_view(page, "What-if")
    page.wait_for_selector(".axd-before-after")
    assert page.evaluate(DIAMOND) == [[], []]
    cell(page, "age").fill("64")
    wait_for_answer(page)
    x, y = page.evaluate(DIAMOND)
    assert x == [64]
    assert y == pytest.approx([model.predict_proba(rows.iloc[[5]].assign(age=64))[0, 1]], rel=1e-9)
    page.get_by_role("button", name="Undo").click()
    wait_for_answer(page)
    assert page.evaluate(DIAMOND) == [[], []]


@pytest.mark.slow
def test_edits_can_be_undone_and_constrained(churned, open_page):
    _, rows, path = churned
    page = open_page(path)
    select(page, 5)
    open_view(page, "What-if")
    page.wait_for_selector(".axd-before-after")
    before = after(page, "Probability of stays")
    age = cell(page, "age")
    age.fill("80")
    age.blur()
    cell(page, "plan").select_option("M" if rows["plan"].iloc[5] != "M" else "L")
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    wait_for_answer(page)
    expect(age).to_have_value(str(rows["age"].iloc[5]))
    assert after(page, "Probability of stays") == before
    page.get_by_role("button", name="Redo").click()
    expect(age).to_have_value("80")
    page.get_by_role("tabpanel", name="What-if").get_by_role("button", name="Reset").click()
    page.locator("summary[aria-label='Limits of age']").click()
    most = page.locator(".axd-limits[open]").get_by_label("At most")
    most.fill("60")
    most.blur()
    age.fill("70")
    expect(page.locator(".axd-refused")).to_contain_text("must be at most 60")
    wait_for_answer(page)
    assert after(page, "Probability of stays") == before
    age.fill("50")
    expect(page.locator(".axd-refused")).to_have_count(0)
    page.locator(".axd-limits[open]").get_by_label("Locked").check()
    expect(age).to_be_disabled()


@pytest.mark.slow
def test_a_row_far_from_the_data_is_said_to_be(churned, open_page):
    page = open_page(churned[2])
    select(page, 5)
    open_view(page, "What-if")
    page.wait_for_selector(".axd-before-after")
    warning = page.locator(".axd-answer .axd-missing")
    assert warning.is_hidden()
    cell(page, "age").fill("300")
    wait_for_answer(page)
    expect(warning).to_contain_text("age = 300 is above every row; the largest value is 89")
    expect(warning).to_contain_text("No row is near this one")


@pytest.mark.slow
def test_the_values_of_an_edited_row_are_those_of_python(open_page, tmp_path):
    model, background, rows, _ = four_classes()
    background = background[:60]
    explained = explain_model(model, background, rows)
    page = open_page(ExplanationDashboard(explained, model, rows).save(tmp_path / "page.html"))
    select(page, 9)
    open_view(page, "What-if")
    page.wait_for_selector(".axd-before-after")
    page.locator(".axd-fields input[type=number]").first.fill("1.5")
    name = page.locator(".axd-fields label").first.inner_text()
    wait_for_answer(page)
    position = int(name.removeprefix("x"))
    edited = np.array(rows[[9]], dtype=float)
    edited[0, position] = 1.5
    wanted = np.stack(explain_model(model, background, edited).shap_values)[0, 0]
    page.locator(".axd-whatif-charts details.axd-numbers").last.locator("summary").click()
    page.evaluate(CATCH_COPIES)
    page.locator(".axd-whatif-charts details.axd-numbers").last.get_by_role("button", name="Copy as CSV").click()
    page.wait_for_function("() => globalThis.copied !== undefined")
    table = {line["Feature"]: line for line in csv.DictReader(io.StringIO(page.evaluate("copied")))}
    found = [float(table[f"x{j}"]["Importance after"]) for j in range(len(wanted))]
    assert np.allclose(found, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max())


@pytest.mark.slow
def test_ice_equals_a_loop_over_the_values(churned, open_page):
    model, rows, path = churned
    page = open_page(path)
    select(page, 5, 40)
    open_view(page, "ICE")
    page.get_by_label("Feature, most important first").last.select_option("age")
    page.get_by_label("Rows", exact=True).select_option("0")
    page.wait_for_function(
        "() => document.querySelector('.axd-localView .axd-plot')?.ariaLabel.includes('values of age')"
    )
    wait_for_page(page, 400)
    table = copied(page)
    assert float(table[0]["age"]) == rows["age"].min()
    assert float(table[-1]["age"]) == rows["age"].max()
    for line in table:
        edited = rows.iloc[[5, 40]].assign(age=int(float(line["age"])))
        wanted = model.predict_proba(edited)[:, 1]
        found = [float(line[name]) for name in ("row 5", "row 40", "mean")]
        assert np.allclose(found, [*wanted, wanted.mean()], rtol=1e-9)


@pytest.mark.slow
def test_local_importance_has_the_values_of_the_rows(churned, open_page):
    model, rows, path = churned
    page = open_page(path)
    select(page, 5, 40, 7)
    expect(page.locator(".axd-row")).to_have_count(3)
    wanted = explain_model(model, rows, rows).explanation.get_raw_explanation().local_importance_values[1, 5]
    table = {line["Feature"]: float(line["Importance"]) for line in copied(page, ".axd-row")}
    assert np.allclose([table[name] for name in rows.columns], wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


@pytest.mark.slow
def test_a_surrogate_is_labelled_and_a_poor_one_refused(open_page, tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(400, 3)), columns=list("abc"))
    for target, text in (
        (X["a"], "Trees that imitate its predictions answer for it"),
        (rng.normal(size=400), "imitates it too poorly"),
    ):
        model = KNeighborsRegressor(3).fit(X, target)
        dashboard = ExplanationDashboard(explain_model(model, X[:20], X[:40]), model, X[:40], background=X)
        page = open_page(dashboard.save(tmp_path / "page.html"))
        select(page, 5)
        open_view(page, "What-if")
        page.wait_for_function("text => document.querySelector('.axd-localView').textContent.includes(text)", arg=text)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_local_views_break_no_rule_of_axe_and_fit_narrow_screens(churned, open_page, scheme):
    axe = pytest.importorskip("axe_playwright_python")
    page = open_page(churned[2], color_scheme=scheme, viewport={"width": 400, "height": 800})
    select(page, 3, 7)
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    for name in ("Local importance", "What-if", "ICE"):
        open_view(page, name)
        page.wait_for_selector(".axd-localView .axd-plot")
        if name == "What-if":
            cell(page, "age").fill("300")
            wait_for_answer(page)
        for summary in page.locator(".axd-localView summary").all():
            summary.click()
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        assert not [(one["id"], one["nodes"][0]["html"]) for one in found], name
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, name
