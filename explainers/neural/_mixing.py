"""Mixed rows of networks, made from few copies: players that are the same in all channels are looked up once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.neural._network import Arrays, Matrix, MixedForward, Network

Numbers = npt.NDArray[np.intp]


class CellPlayers(NamedTuple):
    """The players of the cells of one input.

    Parameters
    ----------
    numbers : ndarray of int, shape (cells,)
        Player of each cell; only of the cells at the first position of the first axis, such as the first channel, if all
        positions have the same ones.
    shape : tuple of int
        Shape in which they match the shape of the input by broadcasting.
    """

    numbers: Numbers
    shape: tuple[int, ...]


def cell_players(players: Numbers, arrays: Arrays) -> tuple[CellPlayers, ...]:
    """Return the players of the cells of each input, given those of all cells side by side."""
    found, start = [], 0
    for array in arrays:
        shape = array.shape[1:]
        size = int(np.prod(shape))
        own = players[start : start + size].reshape(shape)
        start += size
        if len(shape) > 1 and (own == own[:1]).all():
            own = own[:1]
        found.append(CellPlayers(np.ascontiguousarray(own).reshape(-1), own.shape))
    return tuple(found)


def picked(rows: Any, numbers: Numbers) -> Any:
    """Return the rows with these numbers, or one of them if all are the same, which then stands for all of them."""
    return rows[:1] if len(rows) == 1 else rows[numbers[:1]] if (numbers == numbers[0]).all() else rows[numbers]


def mixed_in_numpy(network: Network, rows: Matrix, background: Matrix, players: Numbers) -> MixedForward:
    """Return the outputs of mixed rows as a function; the rows are mixed in the types of the network's inputs."""
    mine, theirs = network.arrays(rows), network.arrays(background)
    columns = cell_players(players, mine)

    def forward(row: Numbers, other: Numbers, present: npt.NDArray[np.bool_]) -> Matrix:
        mixed = tuple(
            np.where(
                np.take(present, cells.numbers, axis=1).reshape(-1, *cells.shape),
                picked(own, row),
                picked(absent, other),
            )
            for cells, own, absent in zip(columns, mine, theirs, strict=True)
        )
        return network.forward(mixed)

    return forward
