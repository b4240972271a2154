"""`AnyExplanation`: what storage, history, clients and reports need of an explanation."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.formatting._names import Nouns

if TYPE_CHECKING:
    import pandas as pd


class AnyExplanation(Protocol):
    """An explanation of a table, of texts or of images, as it is stored with a run and shown in a report.

    Values of texts and images are ragged: each example has players of its own. `feature_labels` and
    `global_importance_values` rank what is comparable between examples, such as words. `overall` returns that ranking as
    an `Explanation`, which every plot and table of importance takes.
    """

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Class labels; None for a regression."""

    @property
    def expected_values(self) -> npt.NDArray[np.float64]:
        """Output without any player, (C,), or (1,) for a regression."""

    @property
    def output_space(self) -> str:
        """Unit of the values."""

    @property
    def method(self) -> str:
        """The explainer that computed the values."""

    @property
    def reason(self) -> str:
        """Why it was chosen."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What readers of the values should know."""

    @property
    def model_kind(self) -> str | None:
        """Role of the model in a search."""

    @property
    def is_raw(self) -> bool:
        """Whether the values belong to the user's own columns, words or pixels."""

    @property
    def nouns(self) -> Nouns:
        """What an example and a feature of it are called."""

    @property
    def num_examples(self) -> int:
        """Number of examples explained."""

    @property
    def feature_labels(self) -> tuple[str, ...]:
        """Names of what is ranked."""

    @property
    def global_importance_values(self) -> npt.NDArray[np.float64]:
        """Importance of each name."""

    @property
    def additivity_error(self) -> float | None:
        """Largest gap between base value plus values and the output; None if it is not known."""

    def overall(self) -> Any:
        """Return the global ranking as an `Explanation`."""

    def examples_html(self, most: int = 6) -> str:
        """Return up to `most` examples as HTML, in which everything is escaped; empty if there is nothing to show."""

    def to_frame(self) -> pd.DataFrame:
        """Return the importance of the features, most important first: a column overall, and one per class."""

    def to_local_frame(self) -> pd.DataFrame:
        """Return the values of each example as a table."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the explanation to one file, without pickle."""
