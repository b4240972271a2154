"""Metrics of the page, compared with those of scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

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
