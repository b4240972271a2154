"""Link functions: from the outputs in which a model is additive to its outputs in another space.

The link of a model is not guessed from its class: a candidate is used only if it reproduces the model's own outputs on
example rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, softmax

from automl_explain.explainers._agreement import agree

Link: TypeAlias = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Function from outputs of shape (..., K) to outputs of the same shape."""

CLIP = 1e-12
"""Probabilities are clipped to this distance from 0 and 1 before log-odds are computed."""
TOLERANCE = 1e-5
"""Largest difference from the model's own outputs, relative to their spread; libraries that compute in float32 stay below
it."""


def logistic(outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Logistic function of each output."""
    return np.asarray(expit(outputs))


def normalised_logistic(outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Logistic function of each output, divided by the sum over outputs, as in one-versus-rest classifiers."""
    shares = expit(outputs)
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def normalised_exponential(outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Softmax of the outputs of each row."""
    return np.asarray(softmax(outputs, axis=-1))


def clipped(outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Margins from -1 to 1 as probabilities from 0 to 1, as with the modified Huber loss."""
    return np.asarray((np.clip(outputs, -1.0, 1.0) + 1.0) / 2.0)


def normalised_clipped(outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Clipped margins, divided by the sum over outputs; equal shares if all of them are -1 or less."""
    shares = clipped(outputs)
    shares = np.where((shares == 0.0).all(axis=-1, keepdims=True), 1.0, shares)
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def log_odds(outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Log-odds of each probability, which is clipped to [1e-12, 1 - 1e-12]."""
    return np.asarray(logit(np.clip(outputs, CLIP, 1 - CLIP)))


CANDIDATES: dict[tuple[str, str], tuple[Link, ...]] = {
    ("log_odds", "probability"): (logistic, normalised_exponential, normalised_logistic),
    ("margin", "probability"): (logistic, normalised_exponential, normalised_logistic, clipped, normalised_clipped),
    ("probability", "log_odds"): (log_odds,),
    ("margin", "response"): (np.exp, logistic),
    ("response", "margin"): (np.log,),
}
"""(source space, target space) -> links to try, in this order."""


@dataclass(frozen=True)
class LinkFunction:
    """A link as the `combine` function of a `Composite` with one member."""

    link: Link

    def __call__(self, outputs: npt.NDArray[np.float64], rows: Any) -> npt.NDArray[np.float64]:
        """Return the outputs in the target space, (n, K)."""
        return self.link(outputs)

    @property
    def elementwise(self) -> bool:
        """Whether each output depends on one output only, so that the second of two classes determines both."""
        return self.link not in (normalised_logistic, normalised_exponential, normalised_clipped)


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """A weighted sum of the members' outputs, as the `combine` function of a `Composite`.

    Parameters
    ----------
    weights : ndarray, shape (sum of K_member, K)
    constant : ndarray, shape (K,)
    """

    weights: npt.NDArray[np.float64]
    constant: npt.NDArray[np.float64]

    def __call__(self, columns: npt.NDArray[np.float64], rows: Any = None) -> npt.NDArray[np.float64]:
        """Return the outputs, (n, K), of the concatenated outputs of the members."""
        return np.asarray(columns @ self.weights + self.constant)


def find_link(
    source: str, target: str, outputs: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]
) -> Link | None:
    """Return the link from one output space of a model to another, or None if no candidate fits.

    Parameters
    ----------
    source, target : str
        Output spaces.
    outputs, wanted : ndarray, shape (n, K)
        The model's outputs for the same rows in the source and the target space.
    """
    candidates = (np.asarray,) if source == target else CANDIDATES.get((source, target), ())
    for link in candidates:
        with np.errstate(all="ignore"):
            made = link(outputs)
        if agree(made, wanted, TOLERANCE):
            return link
    return None


LINKS: dict[str, Link] = {
    "identity": np.asarray,
    "logistic": logistic,
    "normalised_logistic": normalised_logistic,
    "normalised_exponential": normalised_exponential,
    "clipped": clipped,
    "normalised_clipped": normalised_clipped,
    "log_odds": log_odds,
    "exp": np.exp,
    "log": np.log,
}
"""Name -> link, for files."""


def name_of(link: Link) -> str:
    """Return the name of a link that `find_link` has found."""
    return next(name for name, known in LINKS.items() if known is link)
