"""Players of networks: groups of cells that are present or absent together, such as time steps or channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import array_of, nearest
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.neural._network import NetworkInput


class Players(NamedTuple):
    """Names of P players, and the player of each cell, (f,)."""

    names: tuple[str, ...]
    of_cell: npt.NDArray[np.intp]


def read_players(players: Any, inputs: tuple[NetworkInput, ...], cells: Sequence[str]) -> Players:
    """Read the `players` parameter of `DeepExplainer`, which documents its forms.

    Parameters
    ----------
    players : int, tuple of int, mapping, or array of int
    inputs : tuple of NetworkInput
    cells : sequence of str
        Names of the cells.

    Raises
    ------
    InvalidInputError
        If it has none of the forms, or does not match the inputs.
    """
    if isinstance(players, Mapping):
        return _named(players, cells)
    if isinstance(players, int | np.integer) and not isinstance(players, bool):
        return _along((int(players),), inputs)
    if isinstance(players, tuple) and all(isinstance(axis, int) for axis in players):
        return _along(players, inputs)
    return _numbered(players, inputs)


def _along(axes: tuple[int, ...], inputs: tuple[NetworkInput, ...]) -> Players:
    """Return a player for each position along some axes of each input."""
    names: list[str] = []
    parts = []
    for each in inputs:
        n_axes = len(each.shape)
        chosen = sorted({axis + n_axes if axis < 0 else axis for axis in axes})
        if not chosen or chosen[0] < 0 or chosen[-1] >= n_axes:
            raise InvalidInputError(
                f"The 'players' parameter must name axes of an example, whose shape is {each.shape}: from 0 to {n_axes - 1}. "
                f"Got {axes if len(axes) > 1 else axes[0]}."
            )
        kept = tuple(each.shape[axis] for axis in chosen)
        numbers = np.arange(int(np.prod(kept))).reshape(kept) + len(names)
        rest = [axis for axis in range(n_axes) if axis not in chosen]
        parts.append(np.broadcast_to(np.expand_dims(numbers, rest), each.shape).ravel())
        for place in np.ndindex(*kept):
            at = dict(zip(chosen, place, strict=True))
            names.append(f"{each.name or 'x'}[{', '.join(str(at.get(axis, ':')) for axis in range(n_axes))}]")
    return Players(tuple(names), np.concatenate(parts))


def _numbered(players: Any, inputs: tuple[NetworkInput, ...]) -> Players:
    """Return the players whose numbers an array gives for each cell, or one array per input."""
    given = list(players) if isinstance(players, list | tuple) and len(inputs) > 1 else [players]
    if len(given) != len(inputs):
        raise InvalidInputError(
            f"The 'players' parameter must have one array per input, {len(inputs)}. Got {len(given)}."
        )
    parts = []
    for array, each in zip(given, inputs, strict=True):
        numbers = array_of(array, "The 'players' parameter must have a number for each cell")
        shape = numbers.shape
        if numbers.dtype.kind not in "iu" or (numbers.size and numbers.min() < 0):
            raise InvalidInputError(
                "The 'players' parameter must be an axis, several axes, a mapping from names to cells, or an array with the "
                f"number of the player of each cell, from 0. Got {players!r}."
            )
        try:
            parts.append(np.broadcast_to(numbers, each.shape).ravel())
        except ValueError as error:
            raise InvalidInputError(
                f"The 'players' parameter must have the shape of an example, {each.shape}. Got {shape}."
            ) from error
    of_cell = np.concatenate(parts).astype(np.intp)
    missing = np.setdiff1d(np.arange(of_cell.max() + 1), of_cell)
    if len(missing):
        raise InvalidInputError(
            f"The 'players' parameter must use all numbers from 0 to {of_cell.max()}. No cell has {missing[0]}."
        )
    return Players(tuple(f"player {number}" for number in range(of_cell.max() + 1)), of_cell)


def _named(players: Mapping[Any, Any], cells: Sequence[str]) -> Players:
    """Return players with names; each cell that none of them has is a player of its own."""
    known: dict[str, Any] = {name: place for place, name in enumerate(cells)}
    of_cell = np.full(len(cells), -1, dtype=np.intp)
    names = [str(name) for name in players]
    for number, (name, own) in enumerate(players.items()):
        for cell in [own] if isinstance(own, str) or not np.iterable(own) else own:
            place: Any = known.get(str(cell), cell)
            if isinstance(place, bool) or not isinstance(place, int | np.integer) or not 0 <= place < len(cells):
                guess = nearest(str(cell), list(known))
                raise InvalidInputError(
                    f"The 'players' parameter must name cells, or their positions from 0 to {len(cells) - 1}. Got {cell!r}."
                    + (f" Did you mean {guess!r}?" if guess else "")
                )
            if of_cell[place] >= 0:
                raise InvalidInputError(
                    f"The 'players' parameter must give each cell to one player. {cells[int(place)]!r} belongs to "
                    f"{names[of_cell[place]]!r} and {str(name)!r}."
                )
            of_cell[place] = number
    for single in np.flatnonzero(of_cell < 0).tolist():
        of_cell[single] = len(names)
        names.append(cells[single])
    return Players(tuple(names), of_cell)
