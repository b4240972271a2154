"""Values must add up to the prediction: where they nearly do that is said, where they do not they are refused."""

from __future__ import annotations

import warnings

import numpy as np

from automl_explain.explainers._errors import AdditivityError, AdditivityWarning
from automl_explain.explainers.explanation._member_values import MemberValues
from automl_explain.explainers.explanation._values import ExplanationValues

WARN_ABOVE = 1e-4
"""Relative additivity gap that is reported; float32 libraries stay below it."""
REFUSE_ABOVE = 1e-2
"""Relative additivity gap at which the values are refused."""


def check_additivity(explanation: ExplanationValues | MemberValues) -> None:
    """Warn of values that miss the prediction by a little.

    Raises
    ------
    AdditivityError
        If they miss it by more.
    """
    error = explanation.additivity_error
    if error is None or explanation.predictions is None:
        return
    scale = max(1.0, float(np.max(np.abs(explanation.predictions), initial=0.0)))
    message = (
        f"The values of the {explanation.method} explainer miss the prediction by up to {error:.3g} in "
        f"{explanation.output_space}"
    )
    if not error <= REFUSE_ABOVE * scale:
        raise AdditivityError(f"{message}; they are not returned. Please report this model.")
    if error > WARN_ABOVE * scale:
        warnings.warn(f"{message}.", AdditivityWarning, stacklevel=3)
