"""The weights with which coalitions enter a Shapley value."""

from __future__ import annotations

from math import comb

import numpy as np

from automl_explain.explainers.compiled._arrays import Floats


def pair_weights(most: int) -> tuple[Floats, Floats]:
    """Return the weights ``(p-1)! q! / (p+q)!`` and ``p! (q-1)! / (p+q)!`` for p + q <= `most`; 0 where undefined."""
    gain, loss = np.zeros((most + 1, most + 1)), np.zeros((most + 1, most + 1))
    for p in range(most + 1):
        for q in range(most + 1 - p):
            gain[p, q] = 1.0 / (p * comb(p + q, p)) if p else 0.0
            loss[p, q] = 1.0 / (q * comb(p + q, q)) if q else 0.0
    return gain, loss
