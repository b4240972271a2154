"""How long the dashboard's page takes to answer an edited row, and how large a model in it is."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from playwright.sync_api import sync_playwright

from tests.dashboard.conftest import chromium_path
from tests.dashboard.scorer_page import ScorerPage, numbers_of, page_model

PREDICTION_MS, EXPLANATION_MS, MODEL_BYTES = 10.0, 150.0, 400_000
TIMED = """async ([method, rows]) => {
  const times = [];
  for (let round = 0; round < 7; round += 1) {
    const started = performance.now();
    await scorer[method](rows);
    times.push(performance.now() - started);
  }
  return times;
}"""


@pytest.mark.benchmark
def test_edited_rows_are_answered_in_milliseconds():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10_000, 30))
    model = LGBMClassifier(n_estimators=200, num_leaves=31, verbose=-1).fit(X, X[:, 0] + X[:, 1] * X[:, 2] > 0)
    page = page_model(model, X[:100], X)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        shown = ScorerPage(browser.new_page(), page)
        row = numbers_of(page, X[:1])
        # The first call includes what is computed once; the compiler of the browser has not seen the code yet.
        predictions = shown.tab.evaluate(TIMED, ["predict", row])
        explanations = shown.tab.evaluate(TIMED, ["explain", row])
        browser.close()
    print(f"\nprediction: first {predictions[0]:.1f} ms, then {np.median(predictions[1:]):.2f} ms")
    print(f"explanation: first {explanations[0]:.1f} ms, then {np.median(explanations[1:]):.2f} ms")
    print(f"model in the page: {shown.size / 1e3:.0f} kB with {page.explainer.model.structure.n_trees} trees")
    assert max(predictions) < PREDICTION_MS
    assert max(explanations) < EXPLANATION_MS
    assert shown.size < MODEL_BYTES
