"""How well the model predicts the rows, of which the true labels are known: computed from all rows.

::

    classification: {rows, scores: {accuracy, log_loss: number | null},
                     confusion: C lists of C counts: rows of each true class by predicted class,
                     classes: [C x {positives, auc, average_precision, brier: number | null,
                                    roc: {false_positive, true_positive, threshold},
                                    precision_recall: {recall, precision, threshold},
                                    calibration: {predicted, observed, counts} | null,
                                    thresholds: {threshold, tp, fp, tn, fn} | null} | null]}
    regression: {rows, scores: {r2: number | null, mae, rmse}, residuals: {edges, counts}}

Each class is told from all others by its probability, or by its output where there are no probabilities; `calibration` and
`thresholds` need probabilities. A class is null if no row has it, or all rows have. The predicted class is the one of the
highest output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
CURVE_POINTS = 200
"""Most points of a curve."""
CALIBRATION_BINS = 10
THRESHOLDS = np.arange(101) / 100
SMALLEST = 1e-15
"""Probabilities are clipped to this distance from 0 and 1 in the log loss."""
RESIDUAL_BINS = 40


def classification_metrics(truth: Numbers, outputs: Numbers, probability: Numbers | None) -> dict[str, Any]:
    """Return the metrics of a classification.

    Parameters
    ----------
    truth : ndarray of shape (n,)
        Position of each row's class; NaN where it is not known.
    outputs : ndarray of shape (n, C)
    probability : ndarray of shape (n, C), or None
    """
    known = ~np.isnan(truth)
    codes, outputs = truth[known].astype(np.intp), outputs[known]
    probability = None if probability is None else probability[known]
    n_classes = outputs.shape[1]
    predicted = outputs.argmax(axis=1)
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(confusion, (codes, predicted), 1)
    scores: dict[str, float | None] = {"accuracy": _mean(codes == predicted), "log_loss": None}
    if probability is not None and len(codes):
        of_truth = np.clip(probability[np.arange(len(codes)), codes], SMALLEST, 1.0)
        scores["log_loss"] = float(-np.log(of_truth).mean())
    classes = [
        _one_class(codes == c, outputs[:, c], None if probability is None else probability[:, c])
        for c in range(n_classes)
    ]
    return {"rows": len(codes), "scores": scores, "confusion": confusion.tolist(), "classes": classes}


def regression_metrics(truth: Numbers, outputs: Numbers) -> dict[str, Any]:
    """Return the metrics of a regression.

    Parameters
    ----------
    truth, outputs : ndarray of shape (n,)
        Targets, NaN where they are not known, and predictions.
    """
    known = ~np.isnan(truth)
    residuals = truth[known] - outputs[known]
    spread = float(np.sum((truth[known] - truth[known].mean()) ** 2)) if len(residuals) else 0.0
    squared = float(np.sum(residuals**2))
    low, high = (float(residuals.min()), float(residuals.max())) if len(residuals) else (0.0, 0.0)
    counts, edges = np.histogram(residuals, RESIDUAL_BINS, (low, high) if high > low else (low - 0.5, low + 0.5))
    scores = {
        "r2": 1.0 - squared / spread if spread > 0 else None,
        "mae": _mean(np.abs(residuals)),
        "rmse": None if not len(residuals) else float(np.sqrt(squared / len(residuals))),
    }
    return {"rows": len(residuals), "scores": scores, "residuals": {"edges": edges.tolist(), "counts": counts.tolist()}}


def _one_class(is_class: npt.NDArray[np.bool_], output: Numbers, probability: Numbers | None) -> dict[str, Any] | None:
    positives, n = int(is_class.sum()), len(is_class)
    if positives in (0, n):
        return None
    score = output if probability is None else probability
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), n - 1)  # the last row of each distinct score
    true_positives = np.cumsum(is_class[order])[last]
    false_positives = last + 1 - true_positives
    tpr = np.append(0.0, true_positives / positives)
    fpr = np.append(0.0, false_positives / (n - positives))
    precision, recall = true_positives / (last + 1), true_positives / positives
    kept = _thinned(len(last))
    ends = np.append(0, kept + 1)
    threshold = score[order][last]
    return {
        "positives": positives,
        "auc": float(np.trapezoid(tpr, fpr)),
        "average_precision": float(np.sum(np.diff(np.append(0.0, recall)) * precision)),
        "brier": None if probability is None else float(np.mean((probability - is_class) ** 2)),
        "roc": {
            "false_positive": fpr[ends].tolist(),
            "true_positive": tpr[ends].tolist(),
            "threshold": [None, *threshold[kept].tolist()],
        },
        "precision_recall": {
            "recall": recall[kept].tolist(),
            "precision": precision[kept].tolist(),
            "threshold": threshold[kept].tolist(),
        },
        "calibration": None if probability is None else _calibration(is_class, probability),
        "thresholds": None if probability is None else _by_threshold(is_class, probability),
    }


def _thinned(n_points: int) -> npt.NDArray[np.intp]:
    """Return the positions of at most `CURVE_POINTS` points, the first and the last included."""
    most = min(n_points, CURVE_POINTS)
    return np.unique(np.arange(most) * (n_points - 1) // max(most - 1, 1))


def _calibration(is_class: npt.NDArray[np.bool_], probability: Numbers) -> dict[str, Any]:
    """Return mean prediction, share of the class and rows of each tenth of the scale that has rows."""
    bins = np.minimum((probability * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    used = counts > 0
    predicted = np.bincount(bins, probability, CALIBRATION_BINS)[used] / counts[used]
    observed = np.bincount(bins, is_class.astype(np.float64), CALIBRATION_BINS)[used] / counts[used]
    return {"predicted": predicted.tolist(), "observed": observed.tolist(), "counts": counts[used].tolist()}


def _by_threshold(is_class: npt.NDArray[np.bool_], probability: Numbers) -> dict[str, Any]:
    """Return the four counts where a row is given the class from each threshold upwards."""
    of_class, of_others = np.sort(probability[is_class]), np.sort(probability[~is_class])
    fn, tn = np.searchsorted(of_class, THRESHOLDS), np.searchsorted(of_others, THRESHOLDS)
    counts = {"tp": len(of_class) - fn, "fp": len(of_others) - tn, "tn": tn, "fn": fn}
    return {"threshold": THRESHOLDS.tolist()} | {name: count.tolist() for name, count in counts.items()}


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None
