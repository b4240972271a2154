"""Feature maps: the raw column that each engineered column was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from automl_explain.explainers._errors import InvalidInputError

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """A map from each engineered column to the one raw column that it was made from.

    Parameters
    ----------
    raw_names : tuple of str
        Names of the raw columns, in the order of the user's table.
    parent : ndarray of int, shape (f_engineered,)
        Position of the raw column of each engineered column.

    Notes
    -----
    A raw column without engineered columns was dropped by the preprocessing, so its importance is 0.

    Examples
    --------
    >>> import numpy as np
    >>> from automl_explain import FeatureMap
    >>> FeatureMap(("age", "town", "id"), np.array([0, 1, 1])).dropped
    ('id',)
    """

    raw_names: tuple[str, ...]
    parent: npt.NDArray[np.intp]

    @property
    def dropped(self) -> tuple[str, ...]:
        """Raw columns that the preprocessing dropped."""
        used = set(self.parent.tolist())
        return tuple(name for position, name in enumerate(self.raw_names) if position not in used)

    def pool(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sum values over the engineered columns of each raw column. Columns are on the last axis.

        Parameters
        ----------
        values : ndarray of shape (..., f_engineered)
            Numbers of the engineered columns.

        Returns
        -------
        ndarray of shape (..., f_raw)
            Their sums; 0 for columns that the preprocessing dropped.

        Raises
        ------
        InvalidInputError
            If they are no numbers, or of another number of columns.
        """
        try:
            found = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError, MemoryError) as error:
            raise InvalidInputError(f"The 'values' parameter must be an array of numbers: {error}.") from error
        if found.shape[-1:] != (len(self.parent),):
            raise InvalidInputError(
                f"The 'values' parameter must have {len(self.parent)} engineered columns on its last axis. Got {found.shape}."
            )
        return pool_players(found, self.parent, len(self.raw_names))


def pool_players(
    values: npt.NDArray[np.float64], players: npt.NDArray[np.intp] | None, n_players: int | None
) -> npt.NDArray[np.float64]:
    """Sum values over the columns of each player. Columns are on the last axis.

    Parameters
    ----------
    values : ndarray, shape (..., f)
    players : ndarray of int, shape (f,), or None
        Player of each column. None: each column is a player.
    n_players : int or None
        Number of players P, when `players` is given.

    Returns
    -------
    ndarray, shape (..., P)
    """
    if players is None or n_players is None:
        return values
    pooled = np.zeros((*values.shape[:-1], n_players))
    np.add.at(np.moveaxis(pooled, -1, 0), players, np.moveaxis(values, -1, 0))
    return pooled
