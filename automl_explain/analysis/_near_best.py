"""Which runs of a search are near-best: those whose loss cannot be told from the lowest, given the noise of the losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def within_noise(parts: Sequence[Sequence[float]], best: int) -> npt.NDArray[np.bool_] | None:
    """Return which runs have a loss within one standard error of the best run's; None if the noise is not known.

    Two runs are compared part by part, since a part that is hard is hard for both. The training rows of folds overlap, so
    the variance of the mean difference over k folds is that of a fold times ``1 / k + 1 / (k - 1)``.

    Parameters
    ----------
    parts : sequence of sequence of float
        Losses of each run on the same parts, such as the folds of a cross-validation. Empty: they are not known.
    best : int
        Number of the best run.

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", doi:10.1023/A:1024068626366.
    """
    k = len(parts[best])
    if k < 2:
        return None
    near = np.zeros(len(parts), dtype=np.bool_)
    for run, losses in enumerate(parts):
        if len(losses) != k:
            continue
        gaps = np.asarray(losses, dtype=np.float64) - np.asarray(parts[best], dtype=np.float64)
        near[run] = gaps.mean() <= gaps.std(ddof=1) * np.sqrt(1 / k + 1 / (k - 1))
    near[best] = True
    return near
