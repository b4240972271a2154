"""LIME for texts: a linear model of the outputs of texts with random words left out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from automl_explain.explainers.lime._explainer import fit_weighted
from automl_explain.explainers.model._structures import Matrix
from automl_explain.explainers.text._masking import Masks
from automl_explain.explainers.text.games._word_game import GameValues

SAMPLES = 5000
"""Masked texts by default, as in the lime package."""
KERNEL_WIDTH = 25.0
"""Width of the kernel of the cosine distance times 100, as in the lime package."""


def lime_values(outputs: Callable[[Masks], Matrix], n_players: int, n_samples: int, seed: int) -> GameValues:
    """Return the weights of a ridge regression around the text.

    Each sample leaves out a random number of random words. Its weight falls with the cosine distance from the whole text.

    References
    ----------
    Ribeiro, Singh and Guestrin, "Why Should I Trust You?", arXiv:1602.04938.
    """
    if n_players == 0:
        return GameValues(np.zeros((outputs(np.ones((1, 0), bool)).shape[1], 0)))
    rng = np.random.default_rng(seed)
    n_absent = rng.integers(1, n_players + 1, n_samples - 1)
    order = rng.random((n_samples - 1, n_players)).argsort(axis=1).argsort(axis=1)
    masks = np.vstack([np.ones((1, n_players), bool), order >= n_absent[:, None]])
    distance = 100.0 * (1.0 - np.sqrt(masks.mean(axis=1)))
    weight = np.exp(-((distance / KERNEL_WIDTH) ** 2) / 2.0)
    fit = fit_weighted(masks.astype(np.float64), outputs(masks), weight)
    note = f"weighted R2 of the local model: {', '.join(f'{value:.2f}' for value in fit.fidelity)}"
    return GameValues(fit.weights, None, (note,))
