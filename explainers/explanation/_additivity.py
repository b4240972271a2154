"""Check that values add up to the prediction: a small gap is a warning, a large one an error."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import AdditivityError, AdditivityWarning
from automl_explain.explainers.explanation._member_values import MemberValues
from automl_explain.explainers.explanation._values import ExplanationValues

WARN_ABOVE = 1e-4
"""Relative additivity gap above which a warning is given; models computed in float32 stay below it."""
REFUSE_ABOVE = 1e-2
"""Relative additivity gap above which the values are refused."""


def check_additivity(explanation: ExplanationValues | MemberValues) -> None:
    """Warn if values miss the prediction slightly.

    Raises
    ------
    AdditivityError
        If the gap, relative to the largest prediction, exceeds `REFUSE_ABOVE`.
    """
    error = explanation.additivity_error
    if error is not None and explanation.predictions is not None:
        check_gap(error, explanation.predictions, explanation.method, explanation.output_space)


def check_gap(error: float, predictions: npt.NDArray[np.float64], method: str, output_space: str) -> None:
    """Warn of values whose sums miss the predictions by up to `error`, where that is little.

    Raises
    ------
    AdditivityError
        If it is more.
    """
    scale = max(1.0, float(np.max(np.abs(predictions), initial=0.0)))
    message = f"The values of the {method} explainer miss the prediction by up to {error:.3g} in {output_space}"
    if not error <= REFUSE_ABOVE * scale:
        raise AdditivityError(f"{message}; they are not returned. Please report this model.")
    if error > WARN_ABOVE * scale:
        warnings.warn(f"{message}.", AdditivityWarning, stacklevel=4)
