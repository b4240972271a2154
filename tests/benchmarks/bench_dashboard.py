"""Sizes and times of dashboards, in headless chromium: ``python -m tests.benchmarks.bench_dashboard``.

The page of 10,000 rows x 30 features of a LightGBM of 200 trees x 31 leaves, in float64 and in decimals of measured data, and
that of 100,000 rows. Each time is the median of `REPEATS` fresh pages. A page is interactive when its first chart has been drawn
and a click is answered; the times of an edit are those of the model in the page, without the 300 ms for which it waits.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from playwright.sync_api import sync_playwright

from automl_explain import ExplanationDashboard, explain_model
from tests.dashboard.conftest import Visits, chromium_path
from tests.dashboard.scorer_page import ScorerPage, numbers_of, page_model

REPEATS = 5
TIME_OF_CALLS = """async ([method, rows]) => {
  const times = [];
  for (let turn = 0; turn < 30; turn += 1) {
    const start = performance.now();
    await scorer[method]([rows[turn % rows.length]]);
    times.push(performance.now() - start);
  }
  return times.slice(5);
}"""
UNTIL_DRAWN = """() => new Promise((resolve) => {
  const inside = (root) => [...root.querySelectorAll("*")].map((one) => one.shadowRoot && canvas(one.shadowRoot));
  const canvas = (root) => root.querySelector("canvas") ?? inside(root).find(Boolean);
  const look = () => {
    const panel = document.querySelector("[role=tabpanel]");
    if (panel && canvas(panel)?.width) requestAnimationFrame(() => setTimeout(() => resolve(performance.now()), 0));
    else requestAnimationFrame(look);
  };
  look();
})"""
START_CLICK = """() => {
  const canvas = (root) => root.querySelector("canvas")
    ?? [...root.querySelectorAll("*")].map((one) => one.shadowRoot && canvas(one.shadowRoot)).find(Boolean);
  // Event timing: from the click to the frame that shows its effect, in steps of 8 ms.
  const selected = new Promise((resolve) => {
    new PerformanceObserver((list) => {
      const click = list.getEntries().find(({ name }) => name === "click");
      if (click) resolve(click.duration);
    }).observe({ type: "event", durationThreshold: 16 });
  });
  const drawn = new Promise((resolve) => {
    addEventListener("pointerup", () => {
      const start = performance.now();
      const look = () => {
        const found = canvas(document.querySelector(".axd-localView"))?.width;
        if (found) setTimeout(() => resolve(performance.now() - start), 0);
        else requestAnimationFrame(look);
      };
      look();
    }, { capture: true, once: true });
  });
  const late = new Promise((resolve) => { setTimeout(() => resolve([NaN, NaN]), 1500); });
  globalThis.clicked = Promise.race([Promise.all([selected, drawn]), late]);
}"""


def table(n_rows, decimals, seed=0):
    """Rows and labels; of `decimals` None as random float64, otherwise rounded as measured data is."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 30))
    y = (X[:, 0] + X[:, 1] * X[:, 2] + np.abs(X[:, 3]) + rng.normal(size=n_rows) > 1).astype(int)
    return pd.DataFrame(X if decimals is None else X.round(decimals), columns=[f"feature {j}" for j in range(30)]), y


def model_of(n_rows, decimals):
    X, y = table(n_rows, decimals)
    return LGBMClassifier(n_estimators=200, num_leaves=31, verbose=-1).fit(X, y), X, y


def dashboard_of(n_rows, decimals):
    model, X, y = model_of(n_rows, decimals)
    explained = explain_model(model, X.iloc[:100], X, progress=False)
    return ExplanationDashboard(explained, model, X, true_labels=y)


def opened(browser, path):
    """A fresh page, and the milliseconds until it is interactive: from the start of loading to the first chart's pixels."""
    visits = Visits(browser)
    page = visits(path)
    milliseconds = page.evaluate(UNTIL_DRAWN)
    assert not visits.console, visits.console
    return visits, page, milliseconds


def click_milliseconds(page):
    """Milliseconds from a click on a point until the row's selection is painted, and until its values are drawn."""
    canvas = page.locator("[role=tabpanel] canvas").first
    box = canvas.bounding_box()
    for share in (0.5, 0.45, 0.55, 0.4, 0.6):
        page.evaluate(START_CLICK)
        page.mouse.click(box["x"] + box["width"] * share, box["y"] + box["height"] * 0.5)
        milliseconds = page.evaluate("() => clicked")
        if None not in milliseconds and np.isfinite(milliseconds).all():  # otherwise there was no point
            return milliseconds
    return [float("nan")] * 2


def report(browser, folder, name, n_rows, decimals, *, edits):
    dashboard = dashboard_of(n_rows, decimals)
    start = time.perf_counter()
    path = dashboard.save(Path(folder) / "page.html")
    made = time.perf_counter() - start
    shown = dashboard._data.json["rows"]["shown"]
    times, clicks = [], []
    for _ in range(REPEATS):
        visits, page, milliseconds = opened(browser, path)
        times.append(milliseconds)
        clicks.append(click_milliseconds(page))
        visits.close()
    print(f"{name}: {path.stat().st_size / 1e6:.2f} MB, {shown:,} of {n_rows:,} rows shown, made in {made:.1f} s")
    print(f"  interactive in {statistics.median(times) / 1000:.2f} s (best {min(times) / 1000:.2f})")
    for what, found in zip(("selects a row", "draws its values"), np.transpose(clicks), strict=True):
        print(f"  a click {what} in {np.nanmedian(found):.0f} ms (best {np.nanmin(found):.0f})")
    if edits:
        report_edits(browser, dashboard._given.model)


def report_edits(browser, model):
    page = browser.new_page()
    scorer, some = ScorerPage(page, model), model.like.data.iloc[:30]
    rows = numbers_of(model, some)
    for method in ("predict", "explain"):
        found = page.evaluate(TIME_OF_CALLS, [method, rows])
        print(f"  {method} of an edited row in {statistics.median(found):.2f} ms (best {min(found):.2f})")
    values, errors, _, note = scorer.explain(some.iloc[:1])
    if errors is not None:
        print(f"  {note} Largest standard error {errors.max():.4f}, largest value {np.abs(values).max():.3f}")
    page.close()


def main():
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"])
        report(browser, folder, "10,000 x 30, three decimals", 10_000, 3, edits=True)
        report(browser, folder, "10,000 x 30, random float64", 10_000, None, edits=False)
        report(browser, folder, "100,000 x 30, three decimals", 100_000, 3, edits=False)
        print("edits, explained in probability")
        model, X, _ = model_of(10_000, 3)
        report_edits(browser, page_model(model, X.iloc[:100], X, output="probability"))
        browser.close()


if __name__ == "__main__":
    main()
