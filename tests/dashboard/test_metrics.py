"""Metrics of the page, compared with those of scikit-learn, and those that the page computes of a cohort with them."""

import numpy as np
import pytest
from sklearn import metrics

from automl_explain.dashboard._page import join_modules, script_modules
from automl_explain.dashboard.data._metrics import THRESHOLDS, classification_metrics, regression_metrics


def predictions(n_classes, n_rows=400, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n_rows)
    scores = rng.normal(size=(n_rows, n_classes)).round(1)  # ties
    scores[np.arange(n_rows), truth] += 1
    probability = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return truth, scores, probability


@pytest.mark.parametrize("n_classes", [2, 4])
def test_classification(n_classes):
    truth, scores, probability = predictions(n_classes)
    found = classification_metrics(truth.astype(float), scores, probability)
    assert found["rows"] == 400
    assert found["confusion"] == metrics.confusion_matrix(truth, scores.argmax(axis=1)).tolist()
    assert found["scores"]["accuracy"] == pytest.approx(metrics.accuracy_score(truth, scores.argmax(axis=1)))
    assert found["scores"]["log_loss"] == pytest.approx(metrics.log_loss(truth, probability))
    for c, one in enumerate(found["classes"]):
        is_class, score = truth == c, probability[:, c]
        assert one["auc"] == pytest.approx(metrics.roc_auc_score(is_class, score))
        assert one["average_precision"] == pytest.approx(metrics.average_precision_score(is_class, score))
        assert one["brier"] == pytest.approx(metrics.brier_score_loss(is_class, score))
        at = 30
        counts = metrics.confusion_matrix(is_class, score >= THRESHOLDS[at]).ravel().tolist()
        assert [one["thresholds"][name][at] for name in ("tn", "fp", "fn", "tp")] == counts
        assert sum(one["calibration"]["counts"]) == 400
        roc = one["roc"]
        assert (roc["false_positive"][0], roc["true_positive"][0]) == (0, 0)
        assert (roc["false_positive"][-1], roc["true_positive"][-1]) == (1, 1)
        assert len(roc["threshold"]) == len(roc["true_positive"]) <= 201


def test_without_probabilities_curves_are_those_of_the_outputs():
    truth, scores, _ = predictions(3)
    found = classification_metrics(truth.astype(float), scores, None)
    assert found["scores"]["log_loss"] is None
    one = found["classes"][1]
    assert one["auc"] == pytest.approx(metrics.roc_auc_score(truth == 1, scores[:, 1]))
    assert one["calibration"] is one["thresholds"] is one["brier"] is None


def test_rows_without_a_label_do_not_count_and_a_class_without_rows_is_left_out():
    truth, scores, probability = predictions(3)
    known = truth.astype(float)
    known[truth == 2] = np.nan
    found = classification_metrics(known, scores, probability)
    assert found["rows"] == int((truth != 2).sum())
    assert found["classes"][2] is None
    assert classification_metrics(np.full(400, np.nan), scores, probability)["scores"] == {
        "accuracy": None,
        "log_loss": None,
    }


def test_regression():
    rng = np.random.default_rng(0)
    truth, predicted = rng.normal(size=(2, 300))
    found = regression_metrics(np.append(truth, np.nan), np.append(predicted, 0.0))
    assert found["rows"] == sum(found["residuals"]["counts"]) == 300
    assert found["scores"]["r2"] == pytest.approx(metrics.r2_score(truth, predicted))
    assert found["scores"]["mae"] == pytest.approx(metrics.mean_absolute_error(truth, predicted))
    assert found["scores"]["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, predicted))
    assert regression_metrics(np.full(2, np.nan), np.zeros(2))["scores"] == {"r2": None, "mae": None, "rmse": None}


PROBE = """
import { metricsOf } from "./data/metrics.js";
globalThis.metricsOfRows = ({ classes, truth, output, probability }) => {
  const columns = (rows) => rows && rows[0].map((_, k) => Float64Array.from(rows, (row) => row[k]));
  const known = Float64Array.from(truth, (one) => one ?? NaN);
  const predictions = { truth: known, output: columns(output), probability: columns(probability) };
  return metricsOf({ classes, predictions, cached: (_, make) => make() }, truth.map((_, row) => row));
};
"""


@pytest.fixture(scope="module")
def tab(browser):
    page = browser.new_page()
    page.add_script_tag(content=join_modules({**script_modules(), "probe.js": PROBE}, "probe.js"))
    yield page
    page.close()


def same(found, wanted, where=""):
    """Check that JSON of the page is that of Python, numbers to 1e-12."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys(), where
        for name, one in wanted.items():
            same(found[name], one, f"{where}.{name}")
    elif isinstance(wanted, list) and wanted and not isinstance(wanted[0], int | float):
        assert len(found) == len(wanted), where
        for k, one in enumerate(wanted):
            same(found[k], one, f"{where}[{k}]")
    elif wanted is None:
        assert found is None, where
    else:
        assert found == pytest.approx(wanted, rel=1e-12, abs=1e-12), where


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("with_probability", [True, False])
def test_the_page_computes_the_same_metrics_of_a_cohort(tab, n_classes, with_probability):
    truth, scores, probability = predictions(n_classes, n_rows=900, seed=n_classes)
    if (
        with_probability
    ):  # many distinct scores, so that curves are thinned; of some rows another class is the most probable
        shares = np.exp(scores + np.random.default_rng(1).normal(size=scores.shape))
        probability = shares / shares.sum(axis=1, keepdims=True)
    known = truth.astype(float)
    known[::7] = np.nan
    known[known == 2] = 1  # a class without rows
    shares = probability if with_probability else None
    asked = {"classes": list(range(n_classes)), "truth": [None if np.isnan(one) else one for one in known]}
    asked |= {"output": scores.tolist(), "probability": None if shares is None else shares.tolist()}
    same(tab.evaluate("asked => metricsOfRows(asked)", asked), classification_metrics(known, scores, shares))
    none_known = asked | {"truth": [None] * len(known)}
    same(
        tab.evaluate("asked => metricsOfRows(asked)", none_known),
        classification_metrics(known * np.nan, scores, shares),
    )


def test_the_page_computes_the_same_residuals_of_a_cohort(tab):
    truth, predicted = np.random.default_rng(0).normal(size=(2, 300)).round(2)
    for n_rows in (300, 1, 0):
        asked = {
            "classes": None,
            "truth": truth[:n_rows].tolist(),
            "output": predicted[:, None].tolist(),
            "probability": None,
        }
        wanted = regression_metrics(truth[:n_rows], predicted[:n_rows])
        same(tab.evaluate("asked => metricsOfRows(asked)", asked), wanted)
