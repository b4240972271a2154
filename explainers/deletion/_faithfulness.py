"""`Faithfulness`: whether the players that an explanation ranks first are those on which the output depends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.deletion._curves import MEASURES, RANDOM
from automl_explain.explainers.formatting._names import counted, unit_text
from automl_explain.explainers.formatting._numbers import number_text
from automl_explain.explainers.formatting._text_table import Column, TextTable


@dataclass(frozen=True, eq=False, repr=False)
class Faithfulness:
    """Rankings of words, columns or segments, measured by removing them from the examples and asking the model.

    Measures are means over examples, for the output with the largest value; of a regression, in the direction in which the
    example is moved from the output without its players.

    - Comprehensiveness: how much the output falls if the share ranked first is removed. Higher is better.
    - Sufficiency: how much it falls if only these are kept. Lower is better.
    - Deletion AUC: the area under the output while players are removed one after the other, most important first. Lower is
      better.

    Parameters
    ----------
    rankings : tuple of str
        What was measured: the explanation, and beside it leaving out one player at a time and random orders.
    values : ndarray, shape (R, n, 3)
        The three measures of each ranking and each example, in the unit of the output.
    share : float
        Share of the players that is removed or kept, at least one player.
    unit : str
        Output space of the model.
    notes : tuple of str
        What readers of the measures should know.

    References
    ----------
    DeYoung et al., "ERASER: a benchmark to evaluate rationalized NLP models", arXiv 1911.03429: comprehensiveness and
    sufficiency. Petsiuk, Das and Saenko, "RISE: randomized input sampling for explanation of black-box models",
    arXiv 1806.07421: deletion.

    Examples
    --------
    >>> import numpy as np
    >>> from automl_explain import Faithfulness
    >>> Faithfulness(("explanation", "random"), np.array([[[0.5, 0.1, 0.2]], [[0.1, 0.4, 0.6]]]), 0.2, "probability")
    Faithfulness of 1 example, in probability, 20% of the players removed or kept
    ranking      comprehensiveness  sufficiency  deletion AUC
    -----------  -----------------  -----------  ------------
    explanation              0.500        0.100         0.200
    random                   0.100        0.400         0.600
    """

    rankings: tuple[str, ...]
    values: npt.NDArray[np.float64]
    share: float
    unit: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or (len(self.values), self.values.shape[2]) != (len(self.rankings), len(MEASURES)):
            raise InvalidInputError(
                f"The measures of {counted(len(self.rankings), 'ranking')} must have the shape (R, n, {len(MEASURES)}). Got "
                f"{self.values.shape}."
            )

    @property
    def num_examples(self) -> int:
        """Number of examples."""
        return int(self.values.shape[1])

    @property
    def comprehensiveness(self) -> dict[str, float]:
        """Mean comprehensiveness of each ranking; higher is better."""
        return self._means("comprehensiveness")

    @property
    def sufficiency(self) -> dict[str, float]:
        """Mean sufficiency of each ranking; lower is better."""
        return self._means("sufficiency")

    @property
    def deletion_auc(self) -> dict[str, float]:
        """Mean area under the deletion curve of each ranking; lower is better."""
        return self._means("deletion_auc")

    @checked
    def to_frame(self, *, per_example: bool = False) -> pd.DataFrame:
        """Return a row per ranking with its mean measures and their standard errors.

        Parameters
        ----------
        per_example : bool, default False
            Return the measures of each example instead, with rankings and numbers of examples as the index.

        Returns
        -------
        DataFrame
            Comprehensiveness, sufficiency and deletion AUC, in units of the output.
        """
        if per_example:
            index = pd.MultiIndex.from_product([self.rankings, range(self.num_examples)], names=["ranking", "example"])
            return pd.DataFrame(self.values.reshape(-1, len(MEASURES)), index, list(MEASURES))
        table = np.concatenate([self.values.mean(axis=1), self._errors()], axis=1)
        columns = [*MEASURES, *(f"{measure}_error" for measure in MEASURES)]
        return pd.DataFrame(table, pd.Index(self.rankings, name="ranking"), columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them; `from_dict` reads them back.

        Returns
        -------
        dict
            With the keys "rankings", "values", "share", "unit" and "notes".
        """
        return {
            "rankings": list(self.rankings),
            "values": self.values.tolist(),
            "share": self.share,
            "unit": self.unit,
            "notes": list(self.notes),
        }

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> Faithfulness:
        """Return what `to_dict` returned.

        Parameters
        ----------
        stored : dict
            What `to_dict` returned, also after a way through JSON.

        Returns
        -------
        Faithfulness
            The same measures.
        """
        values = np.array(stored["values"], dtype=np.float64).reshape(len(stored["rankings"]), -1, len(MEASURES))
        return Faithfulness(tuple(stored["rankings"]), values, stored["share"], stored["unit"], tuple(stored["notes"]))

    def __repr__(self) -> str:
        columns = (Column("ranking"), *(Column(head, is_number=True) for head in _HEADS))
        rows = [
            (name, *map(number_text, means))
            for name, means in zip(self.rankings, self.values.mean(axis=1), strict=True)
        ]
        return "\n".join(
            [
                f"Faithfulness of {counted(self.num_examples, 'example')}, in {unit_text(self.unit)}, {self.share:.0%} of the "
                "players removed or kept",
                TextTable(columns, tuple(rows)).as_text(),
                *self.notes,
            ]
        )

    def in_words(self) -> str:
        """Return the comprehensiveness of all rankings in a phrase.

        Returns
        -------
        str
            For notes and reports.
        """
        parts = ", ".join(f"{name} {value:.3f}" for name, value in self.comprehensiveness.items())
        return f"comprehensiveness at {self.share:.0%}: {parts}, on {counted(self.num_examples, 'example')}"

    def _means(self, measure: str) -> dict[str, float]:
        means = self.values[:, :, MEASURES.index(measure)].mean(axis=1)
        return dict(zip(self.rankings, means.tolist(), strict=True))

    def _errors(self) -> npt.NDArray[np.float64]:
        n = self.num_examples
        return self.values.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.full(self.values[:, 0].shape, np.nan)


_HEADS = ("comprehensiveness", "sufficiency", "deletion AUC")


def faithfulness_of(
    measured: list[dict[str, npt.NDArray[np.float64]]], share: float, unit: str, notes: tuple[str, ...] = ()
) -> Faithfulness:
    """Return the measures of several examples; rankings that an example lacks are left out."""
    names = [name for name in measured[0] if all(name in each for each in measured)]
    left_out = [name for each in measured for name in each if name not in names]
    if left_out:
        notes = (
            *notes,
            f"not measured, since an example has too many players for it: {', '.join(sorted(set(left_out)))}",
        )
    assert RANDOM in names
    return Faithfulness(
        tuple(names), np.array([[each[name] for each in measured] for name in names]), share, unit, notes
    )
