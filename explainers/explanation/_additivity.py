"""Check that values add up to the prediction: a small gap is a warning, a large one an error.

Gaps are judged output by output, by the distances of the predictions from the expected value and by the values themselves.
Outputs of any unit are therefore held to the same accuracy.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._agreement import ROUNDING, size_of
from automl_explain.explainers._errors import AdditivityError, AdditivityWarning
from automl_explain.explainers.explanation._member_values import MemberValues
from automl_explain.explainers.explanation._values import ExplanationValues

Values = npt.NDArray[np.float64]

WARN_ABOVE = 1e-4
"""Gap, relative to the spread of the output, above which a warning is given."""
REFUSE_ABOVE = 1e-2
"""Gap, relative to the spread of the output, above which the values are refused."""
ADVICE = (
    "Only answers that stay the same can be explained: fix the model's random state, switch off dropout, or pass a function "
    "that averages over many calls."
)
"""What to do about a model whose answers differ between calls."""
REFUSE_ROUNDING = 4
"""Multiple of the rounding of a float32 model up to which values are not refused: such models round at each step."""


def settled(values: Values, outputs: Values) -> Values:
    """Return values (K, n, P) that add up to outputs (n, K), from which the base values have been subtracted.

    Some libraries round their predictions to single precision. A gap that this explains is shared among the players of a
    row in proportion to their values; any other is left to `check_additivity`.
    """
    gap, sizes = outputs.T - values.sum(axis=2), np.abs(values)
    total = sizes.sum(axis=2)
    is_rounding = (np.abs(gap) <= ROUNDING * np.abs(outputs).max(axis=1)) & (total > 0.0)
    share = np.divide(gap, total, out=np.zeros_like(gap), where=is_rounding)
    return np.asarray(values + share[:, :, None] * sizes)


def adds_up(explanation: ExplanationValues) -> bool:
    """Return whether the values of each row add up to its prediction, or it has none."""
    gaps, predictions, values = (
        explanation.additivity_gaps,
        explanation.predictions,
        explanation.local_importance_values,
    )
    if gaps is None or predictions is None or values is None or not gaps.size:
        return True
    if (gaps <= ROUNDING * np.abs(predictions)).all():
        return True
    largest = np.abs(values).max(axis=-1)
    _, bound = _bounds(predictions, explanation.expected_values, largest.T if largest.ndim == 2 else largest[:, None])
    return bool((gaps.max(axis=0) <= bound).all())


def check_additivity(
    explanation: ExplanationValues | MemberValues, predict_again: Callable[[], npt.NDArray[np.float64]] | None = None
) -> None:
    """Warn if values miss the prediction slightly.

    Parameters
    ----------
    explanation : ExplanationValues or MemberValues
    predict_again : callable, optional
        Predicts the same rows again; called only for values that do not add up.

    Raises
    ------
    AdditivityError
        If the gap in an output, relative to the spread of that output, exceeds `REFUSE_ABOVE`.
    """
    gaps, predictions = explanation.additivity_gaps, explanation.predictions
    if gaps is None or predictions is None:
        return
    if isinstance(explanation, MemberValues):
        values = explanation.local_member_values
    else:
        assert explanation.local_importance_values is not None
        values = np.moveaxis(explanation.local_importance_values, -1, 0)
    largest = np.abs(values).max(axis=0, initial=0.0)
    check_gaps(
        gaps,
        predictions,
        explanation.expected_values,
        largest.T if largest.ndim == 2 else largest[:, None],
        f"The values of the {explanation.method} explainer miss the prediction by up to {{:.3g}} in "
        f"{explanation.output_space}",
        predict_again,
    )


def check_gaps(
    gaps: npt.NDArray[np.float64],
    predictions: npt.NDArray[np.float64],
    expected: npt.NDArray[np.float64],
    largest: npt.NDArray[np.float64],
    message: str,
    predict_again: Callable[[], npt.NDArray[np.float64]] | None = None,
) -> None:
    """Warn of sums that miss the predictions slightly.

    Parameters
    ----------
    gaps, predictions : ndarray, shape (n, K)
        Distance of each sum from the prediction, and the predictions.
    expected : ndarray, shape (K,)
        Expected value of each output.
    largest : ndarray, shape (n, K)
        Largest absolute value of each row.
    message : str
        What is said, with a place for the gap.
    predict_again : callable, optional
        Predicts the same rows again; called only for sums that miss the predictions.

    Raises
    ------
    AdditivityError
        If the sums miss them by more.
    """
    if not gaps.size:
        return
    spread, bound = _bounds(predictions, expected, largest)
    rounding, gap = bound - WARN_ABOVE * spread, gaps.max(axis=0)
    if (gap <= bound).all():
        return
    said = message.format(float(gaps.max()))
    why = _unsteady(predictions, predict_again, bound)
    if not (gap <= REFUSE_ABOVE * spread + REFUSE_ROUNDING * rounding).all():
        raise AdditivityError(f"{said}{why}; they are not returned. {ADVICE if why else 'Please report this model.'}")
    warnings.warn(f"{said}{why}.", AdditivityWarning, stacklevel=4)


def _bounds(predictions: Values, expected: Values, largest: Values) -> tuple[Values, Values]:
    """Return the spread of each output (K,), and the gap up to which sums agree with the predictions."""
    spread = np.maximum(np.abs(predictions - expected), largest).max(axis=0)
    return spread, WARN_ABOVE * spread + ROUNDING * size_of(predictions, expected, largest)


def _unsteady(
    predictions: npt.NDArray[np.float64],
    predict_again: Callable[[], npt.NDArray[np.float64]] | None,
    bound: npt.NDArray[np.float64],
) -> str:
    """Return that a model answers differently each time it is called, with the largest difference; empty if it does not."""
    if predict_again is None:
        return ""
    changes = np.abs(predict_again().reshape(predictions.shape) - predictions)
    if (changes.max(axis=0) <= bound).all():
        return ""
    return f", since the model's answers to the same rows differ between calls by up to {changes.max():.3g}"
