"""What a learner predicts when FLAML scores it, so that it need not be asked again after the search."""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_BYTES = 1 << 20
"""Predictions of a trial that take more memory are not kept."""


class Answers:
    """Predictions of one learner for the validation rows, asked for as those of the learner."""

    def __init__(self) -> None:
        self._noted: dict[str, Any] = {}

    def __bool__(self) -> bool:
        return bool(self._noted)

    @property
    def nbytes(self) -> int:
        """Memory of the predictions."""
        return sum(made.nbytes for made in self._noted.values())

    def note(self, name: str, made: Any) -> None:
        """Keep the predictions of a method, unless they are large."""
        if isinstance(made, np.ndarray) and made.nbytes <= MOST_BYTES:
            self._noted[name] = made

    def predict(self, _rows: Any) -> Any:
        """Return what the learner predicted."""
        return self._noted["predict"]

    def predict_proba(self, _rows: Any) -> Any:
        """Return the probabilities that the learner predicted."""
        return self._noted["predict_proba"]


class Listener:
    """A learner whose predictions for some rows are noted; it is the learner in all else.

    Parameters
    ----------
    learner : FLAML learner
    rows : table
    answers : Answers
    """

    def __init__(self, learner: Any, rows: Any, answers: Answers) -> None:
        self._learner, self._rows, self._answers = learner, rows, answers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)

    def predict(self, rows: Any, **settings: Any) -> Any:
        """Predict as the learner does."""
        return self._heard("predict", rows, settings)

    def predict_proba(self, rows: Any, **settings: Any) -> Any:
        """Predict probabilities as the learner does."""
        return self._heard("predict_proba", rows, settings)

    def _heard(self, name: str, rows: Any, settings: dict[str, Any]) -> Any:
        made = getattr(self._learner, name)(rows, **settings)
        if rows is self._rows and not settings:
            self._answers.note(name, made)
        return made
