"""Whole pages in a browser: from a file, from a server and as a widget."""

import time

import numpy as np
import pandas as pd
import pytest

from automl_explain import ExplanationDashboard, explain_model
from tests.dashboard.cases import select
from tests.dashboard.pages import CASES, churn_table, dashboard_of

DECODE = """async () => {
  const text = (id) => document.getElementById(id).textContent;
  const data = await readData(JSON.parse(text("dashboard-data")), bytesOfBase64(text("dashboard-arrays")));
  return {features: data.features.map((one) => [...one.values].map(String)),
          values: data.explanations[0].values.map((block) => block.map((one) => [...one].map(String)))};
}"""


def select_row(page, row, view):
    """Select a row, and open one of its views."""
    select(page, row)
    page.get_by_role("tab", name=view).click()


def after(page, measure):
    """A number that What-if shows of the edited row."""
    return page.locator("tr", has=page.get_by_role("rowheader", name=measure)).first.locator("td").nth(1).inner_text()


def wait_until(page, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, page.locator("body").inner_text()[:2000]
        page.wait_for_timeout(50)


def percent(share):
    return f"{100 * share:.1f}%"


class Slow:
    """A model that takes long for rows whose first cell is negative, fails above 10, and predicts the share of its cells."""

    def __init__(self, model):
        self.model = model

    def __call__(self, rows):
        first = np.asarray(rows)[:, 0]
        if len(first) < 20 and first.min() < 0:
            time.sleep(1.5)
        if first.max() > 10:
            raise RuntimeError("cells above 10 are not known")
        return self.model.predict_proba(np.asarray(rows))


@pytest.fixture(scope="module")
def slow_dashboard():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    X = pd.DataFrame(np.abs(rng.normal(size=(80, 3))), columns=["a", "b", "c"])
    y = np.where(X["a"] > 0.7, "yes", "no")
    fitted = LogisticRegression().fit(X.to_numpy(), y)
    model = Slow(fitted)
    explained = explain_model(model, X, X, classes=["no", "yes"])
    return ExplanationDashboard(explained, model, X, true_labels=y), fitted, X


def test_a_file_opens_without_the_network_and_the_model_in_it_answers(open_page, tmp_path):
    model, _, X, _ = CASES["churn"]()
    page = open_page(dashboard_of("churn").save(tmp_path / "churn.html"))
    page.get_by_text("The model in the page differs from Python by at most").wait_for()
    select_row(page, 3, "What-if")
    edited = X.iloc[[3]].assign(age=70, plan=pd.Categorical(["S"], list("SML")))
    page.get_by_label("age", exact=True).fill("70")
    page.get_by_label("plan", exact=True).select_option(label="S")
    expected = model.predict_proba(edited)[0, 1]
    wait_until(page, lambda: after(page, "Probability of stays") == percent(expected))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("case", CASES)
def test_every_view_of_every_case_is_drawn(open_page, tmp_path, case, scheme):
    dashboard = dashboard_of(case)
    page = open_page(dashboard.save(tmp_path / "page.html"), color_scheme=scheme)
    tabs = page.get_by_role("tab")
    tabs.first.wait_for()
    for tab in [one for one in tabs.all() if one.is_visible()]:
        tab.click()
        page.get_by_role("tabpanel").first.locator("canvas, table").first.wait_for(state="attached")
    labels = dashboard._data.json["rows"]["labels"]
    select(page, "0" if labels is None else labels[0])
    for name in ("Local importance", "What-if", "ICE"):
        page.get_by_role("tab", name=name).click()
        page.get_by_role("tabpanel").last.locator("canvas").first.wait_for(state="attached")
        assert page.get_by_role("alert").count() == 0


@pytest.mark.slow
def test_the_page_has_the_numbers_of_python(browser, tmp_path):
    """The data of a page, as its own script reads them."""
    from automl_explain.dashboard._page import joined_script

    dashboard = dashboard_of("churn", max_rows=100)
    path = dashboard.save(tmp_path / "page.html")
    page = browser.new_page()
    page.goto(path.as_uri())
    script = joined_script("data/data.js") + f"globalThis.decoded = ({DECODE})();"
    blank = browser.new_page()
    blank.set_content("<div id='dashboard-data'></div><div id='dashboard-arrays'></div>")
    for name in ("dashboard-data", "dashboard-arrays"):
        text = page.locator(f"#{name}").evaluate("one => one.textContent")
        blank.evaluate("([id, text]) => { document.getElementById(id).textContent = text; }", [name, text])
    blank.add_script_tag(content=script, type="module")
    wait_until(blank, lambda: blank.evaluate("() => 'decoded' in globalThis"))  # the module runs when it is parsed
    found = blank.evaluate("() => decoded")
    subject = dashboard._given.subject
    shown = dashboard._data.json["rows"]["shown"]
    assert shown == 100
    from automl_explain.explainers.tables._table import draw_rows

    rows = draw_rows(800, 100, 0)
    for j, column in enumerate(subject.columns):
        expected = column.to_numbers(subject.table.data.iloc[rows, j])
        np.testing.assert_array_equal(np.array(found["features"][j], dtype=float), expected)
    values = np.array(found["values"], dtype=float).transpose(0, 2, 1)
    np.testing.assert_allclose(values, subject.main.local_importance_values[:, rows], rtol=1e-6)
    page.close()
    blank.close()


def test_a_served_page_is_answered_by_the_model_in_python(open_page, slow_dashboard):
    dashboard, fitted, X = slow_dashboard
    with dashboard.serve() as server:
        page = open_page(server.url, allow=server.url)
        page.get_by_text("Edited rows are answered by the model in Python").wait_for()
        select_row(page, 5, "What-if")
        page.get_by_label("a", exact=True).fill("2.5")
        expected = fitted.predict_proba(X.iloc[[5]].assign(a=2.5).to_numpy())[0, 1]
        wait_until(page, lambda: after(page, "Probability of yes") == percent(expected))


@pytest.mark.slow
def test_of_two_quick_edits_of_a_slow_model_the_last_one_wins(open_page, slow_dashboard):
    dashboard, fitted, X = slow_dashboard
    with dashboard.serve() as server:
        page = open_page(server.url, allow=server.url)
        select_row(page, 5, "What-if")
        field = page.get_by_label("a", exact=True)
        field.fill("-3")  # takes long
        page.wait_for_timeout(600)
        field.fill("1.25")
        expected = percent(fitted.predict_proba(X.iloc[[5]].assign(a=1.25).to_numpy())[0, 1])
        wait_until(page, lambda: after(page, "Probability of yes") == expected)
        page.wait_for_timeout(2500)
        assert after(page, "Probability of yes") == expected


@pytest.mark.slow
def test_a_model_that_fails_on_a_row_is_quoted_and_the_page_stays_usable(open_page, slow_dashboard):
    dashboard, fitted, X = slow_dashboard
    open_page.expected = ("422",)  # browsers log answers that are errors
    with dashboard.serve() as server:
        page = open_page(server.url, allow=server.url)
        select_row(page, 5, "What-if")
        field = page.get_by_label("a", exact=True)
        field.fill("11")
        page.get_by_text("RuntimeError: cells above 10 are not known").first.wait_for()
        field.fill("1.5")
        expected = percent(fitted.predict_proba(X.iloc[[5]].assign(a=1.5).to_numpy())[0, 1])
        wait_until(page, lambda: after(page, "Probability of yes") == expected)


@pytest.mark.slow
def test_a_server_that_has_gone_is_a_sentence(open_page, slow_dashboard):
    open_page.expected = ("ERR_CONNECTION_REFUSED",)
    with slow_dashboard[0].serve() as server:
        page = open_page(server.url, allow=server.url)
        select_row(page, 5, "What-if")
        page.get_by_text("Before", exact=True).wait_for()
        page.wait_for_timeout(1000)
    page.get_by_label("a", exact=True).fill("1.5")
    page.get_by_text("The server of this page does not answer").first.wait_for()


@pytest.mark.slow
def test_a_browser_without_decompression_is_told(open_page, tmp_path):
    dashboard_of("regression").save(tmp_path / "page.html")
    page = open_page(tmp_path / "page.html", init_script="delete globalThis.DecompressionStream;")
    assert "needs a browser with DecompressionStream" in page.get_by_role("alert").inner_text()
    open_page.expected = ("DecompressionStream",)


@pytest.mark.slow
def test_a_hundred_thousand_rows_open_with_a_sample_of_points(open_page, tmp_path):
    from lightgbm import LGBMClassifier

    table, y = churn_table(100_000)
    X = table.drop(columns=["city", "plan"]).set_axis(["age", "income", "member", "score"], axis=1)
    model = LGBMClassifier(n_estimators=20, verbose=-1).fit(X, y)
    dashboard = ExplanationDashboard(explain_model(model, X[:200], X), model, X, true_labels=y)
    path = dashboard.save(tmp_path / "page.html")
    assert path.stat().st_size < 4e6
    page = open_page(path)
    page.get_by_text("of 100,000 rows shown").first.wait_for()
    payload = dashboard._data.json
    assert payload["rows"]["total"] == payload["metrics"]["rows"] == sum(payload["statistics"][0]["counts"]) == 100_000
    assert payload["features"][1]["missing"] == int(X["income"].isna().sum())
    importance = np.abs(dashboard._given.subject.main.local_importance_values).mean(axis=1)
    np.testing.assert_allclose(payload["explanations"][0]["importance"]["mean_abs"], importance)


FAKE_MODEL = """
globalThis.listeners = [];
globalThis.fromBase64 = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
globalThis.deliver = (content, buffers) => listeners.forEach((one) => one(content, buffers.map(fromBase64)));
globalThis.model = {
  on: (_, listener) => listeners.push(listener),
  off: (_, listener) => { listeners = listeners.filter((one) => one !== listener); },
  send: (message) => toPython(JSON.stringify(message)),
};
"""


@pytest.mark.slow
def test_the_widget_is_answered_by_messages(browser, slow_dashboard):
    import base64
    import json

    dashboard, fitted, X = slow_dashboard
    widget = dashboard.widget()
    page = browser.new_page()
    console = []
    page.on("console", lambda message: console.append(message.text))
    page.on("pageerror", lambda error: console.append(str(error)))

    def deliver(content, buffers=()):
        page.evaluate(
            "([content, buffers]) => deliver(content, buffers)",
            [content, [base64.b64encode(one).decode() for one in buffers]],
        )

    waiting = []
    page.expose_function("toPython", lambda text: waiting.append(json.loads(text)))
    widget.send = lambda content, buffers=None: deliver(content, buffers or ())
    page.set_content("<div id='here'></div>")
    page.add_script_tag(content=FAKE_MODEL)
    page.add_style_tag(content=widget._css)
    script = widget._esm.rpartition("export default")[0]
    page.add_script_tag(content=script + "renderWidget({model, el: document.getElementById('here')});", type="module")

    def until(condition):
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, console
            page.wait_for_timeout(50)
            while waiting:
                widget._handle_custom_msg(waiting.pop(0), [])

    until(lambda: page.get_by_role("tab").count() > 0)
    select_row(page, 5, "What-if")
    until(lambda: page.get_by_label("a", exact=True).count() > 0)
    page.get_by_label("a", exact=True).fill("2.5")
    expected = percent(fitted.predict_proba(X.iloc[[5]].assign(a=2.5).to_numpy())[0, 1])
    until(
        lambda: (
            page.get_by_role("rowheader", name="Probability of yes").count()
            and after(page, "Probability of yes") == expected
        )
    )
    page.get_by_label("a", exact=True).fill("11")
    until(lambda: page.get_by_text("RuntimeError: cells above 10 are not known").count() > 0)
    assert console == []
    page.close()
