"""How well a surrogate imitates its teacher."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import rel_entr

Outputs = npt.NDArray[np.float64]

CLIP = 1e-6
"""Probabilities are kept this far above 0 before logarithms are taken."""
CONSTANT = float(np.finfo(np.float64).eps) ** 2
"""Share of the squared outputs up to which their variance is due to rounding in float64."""
REPRODUCED = 1e-12
"""Squared difference, as a share of the squared outputs, up to which constant outputs are reproduced."""


@dataclass(frozen=True)
class Fidelity:
    """How well a surrogate imitates its teacher.

    Parameters
    ----------
    n_rows : int
        Rows on which it was measured.
    held_out : bool
        Whether these rows were held out of training; False only if the table has too few rows.
    r2 : float
        Share of the variance of the teacher's outputs that the surrogate reproduces, over all outputs: 1 is perfect, 0
        no better than predicting the mean.
    agreement : float or None
        Share of rows for which both predict the same class; None for a regression.
    kl_divergence : float or None
        Mean Kullback-Leibler divergence of the surrogate's probabilities from the teacher's, in nats; None unless the
        outputs are probabilities.

    Examples
    --------
    >>> from automl_explain import Fidelity
    >>> print(Fidelity(n_rows=120, held_out=True, r2=0.98, agreement=0.95))
    R2 0.980, same class for 95.0% on 120 held-out rows
    """

    n_rows: int
    held_out: bool
    r2: float
    agreement: float | None = None
    kl_divergence: float | None = None

    def __str__(self) -> str:
        parts = [f"R2 {self.r2:.3f}"]
        if self.agreement is not None:
            parts.append(f"same class for {self.agreement:.1%}")
        if self.kl_divergence is not None:
            parts.append(f"KL divergence {self.kl_divergence:.3g} nats")
        return f"{', '.join(parts)} on {self.n_rows} {'held-out' if self.held_out else 'training'} rows"


def measure_fidelity(teacher: Outputs, surrogate: Outputs, space: str, held_out: bool) -> Fidelity:
    """Compare the outputs of both for the same rows.

    Parameters
    ----------
    teacher, surrogate : ndarray of shape (n, K)
        One column per class, or a single one for a regression.
    space : str
        Output space of both.
    held_out : bool
        Whether the surrogate was trained without these rows.
    """
    squares = float(((teacher - surrogate) ** 2).sum())
    total, size = float(((teacher - teacher.mean(axis=0)) ** 2).sum()), float((teacher**2).sum())
    # Constant outputs have no variance but that of rounding: R2 is 1 if they are reproduced, otherwise 0.
    r2 = 1.0 - squares / total if total > CONSTANT * size else float(squares <= REPRODUCED * size)
    several = teacher.shape[1] > 1
    return Fidelity(
        len(teacher),
        held_out,
        r2,
        float((teacher.argmax(axis=1) == surrogate.argmax(axis=1)).mean()) if several else None,
        _kl_divergence(teacher, surrogate) if several and space == "probability" else None,
    )


def _kl_divergence(teacher: Outputs, surrogate: Outputs) -> float:
    """Mean of ``sum p log(p / q)``. A regression may give q outside [0, 1], so q is clipped and normalised."""
    q = np.clip(surrogate, CLIP, None)
    q = q / q.sum(axis=1, keepdims=True)
    return float(rel_entr(teacher, q).sum(axis=1).mean())
