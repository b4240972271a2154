"""A scorer as JSON and packed arrays.

The facts and arrays are those of a bundle (`explainers/scoring/models/_model_coding.py`). Trees are stored shorter: their nodes
are in preorder, so that it suffices to say which of them are leaves; splits are stored for inner nodes, values for leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.dashboard.data._arrays import ArrayBlock
from automl_explain.dashboard.data._columns import PageColumn
from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers.scoring._scorer import Scorer
from automl_explain.explainers.scoring.columns._column_map import encode_map
from automl_explain.explainers.scoring.columns._schema import Column
from automl_explain.explainers.scoring.models._model_coding import encode_model
from automl_explain.explainers.trees._split_flags import MISSING_LEFT, NAN_IS_ZERO, ZERO_IS_MISSING

Arrays = dict[str, npt.NDArray[Any]]
Numbers = npt.NDArray[np.float64]

OF_SPLITS = ("feature", "threshold", "flags", "category_start", "category_size")
"""Arrays of trees that are stored for inner nodes only."""
NUMERIC, NUMERIC_NAN_LEFT, GENERAL = 0, 1, 2
"""Kinds of splits, as in `explainers/trees/_routing.py`."""


@dataclass(frozen=True, eq=False)
class Backing:
    """The background rows of a page.

    Parameters
    ----------
    rows : ndarray of shape (B, f)
        Rows as the scorer's model reads them.
    weights : ndarray of shape (B,)
        Their weights, adding up to 1.
    """

    rows: Numbers
    weights: Numbers


def encode_scorer(
    scorer: Scorer, backing: Backing | None, columns: Sequence[PageColumn], block: ArrayBlock
) -> dict[str, Any]:
    """Return a scorer as JSON.

    Parameters
    ----------
    scorer : Scorer
    backing : Backing or None
        None: edited rows are predicted, not explained.
    columns : sequence of PageColumn
        The columns of the page: those of the scorer's schema, in any order if they have names.
    block : ArrayBlock
        Takes the arrays.

    Returns
    -------
    dict
        `columns`: for each column of the schema its name, its place `at` among those of the page, whether a cell may be
        `missing`, and the number that the scorer reads for each of the page's `levels` (None: not known), for the numbers
        `known`, or, for other cells, for a 1 (`scale`). `intake`, `model`: facts as in bundles. `arrays`: name -> place in the
        block; among them the `background` rows and their `weights`. `players`, `n_players`: the player of each column that the
        model reads, or None. `owner`: the page's column of each player.

    Raises
    ------
    UnsupportedModelError
        If the page has other columns, or a column that is explained was made from several columns of the page.
    """
    places = _places(scorer, columns)
    arrays: Arrays = {} if backing is None else {"background": backing.rows, "weights": backing.weights}
    intake = encode_map(scorer.intake, "intake", arrays)
    model = encode_model(scorer.model, "model", arrays)
    for name in [name.removesuffix(".left") for name in arrays if name.endswith(".left")]:
        _shorten(name, arrays)
    return {
        "columns": [
            {**_column(column, columns[at]), "at": at} for column, at in zip(scorer.schema.columns, places, strict=True)
        ],
        "intake": intake,
        "model": model,
        "arrays": {name: block.add(array) for name, array in arrays.items()},
        "players": None if scorer.game.players is None else scorer.game.players.tolist(),
        "n_players": scorer.game.n_players,
        "owner": [places[column] for column in _owner(scorer)],
        "n_background": 0 if backing is None else len(backing.rows),
    }


def size_of(scorer: Scorer) -> int:
    """Return the number of bytes of a model's arrays."""
    arrays: Arrays = {}
    encode_model(scorer.model, "model", arrays)
    return sum(array.nbytes for array in arrays.values())


def _column(column: Column, shown: PageColumn) -> dict[str, Any]:
    levels, known = None, None
    if column.kind == "date" and shown.kind != "date":
        raise UnsupportedModelError(f"column {column.name!r} holds dates for the model, but not for the page")
    scale = 1000.0 if column.kind == "date" else 1.0  # from milliseconds to microseconds
    if shown.levels is not None:
        levels = [_number(column, level) for level in shown.levels]
    elif column.categories is not None:
        known = [float(value) for value in column.categories]  # numbers that the model takes as categories
    return {"name": shown.name, "missing": column.missing, "levels": levels, "known": known, "scale": scale}


def _number(column: Column, level: Any) -> float | None:
    """Return what the scorer reads for a level; None if the model does not know it."""
    value = level.item() if isinstance(level, np.generic) else level
    if column.categories is not None:
        return column.codes.get(value)
    return float(value)


def _places(scorer: Scorer, columns: Sequence[PageColumn]) -> list[int]:
    """Return the place of each column of the schema among those of the page."""
    schema, names = scorer.schema, [column.name for column in columns]
    if schema.named and set(names) == set(schema.names):
        return [names.index(name) for name in schema.names]
    if len(names) != len(schema.names) or schema.named:
        raise UnsupportedModelError(f"{scorer.model.name} reads other columns than those of the page")
    return list(range(len(names)))


def _owner(scorer: Scorer) -> list[int]:
    """Return the column of the schema that each player belongs to."""
    n_columns = len(scorer.schema.columns)
    n_players = scorer.game.n_players or scorer.intake.n_outputs
    if scorer.labels.is_raw_space or (scorer.labels.feature_map is None and n_players == n_columns):
        return list(range(n_players))
    if scorer.labels.feature_map is None:
        raise UnsupportedModelError(f"{scorer.model.name} reads columns that were made from several columns each")
    parent: list[int] = scorer.labels.feature_map.parent.tolist()
    return parent


def _shorten(name: str, arrays: Arrays) -> None:
    """Replace the arrays of some trees by those that the page reads."""
    trees = {key.removeprefix(f"{name}."): arrays.pop(key) for key in list(arrays) if key.startswith(f"{name}.")}
    leaf = trees["left"] < 0
    flags, threshold = trees["flags"], trees["threshold"]
    nan_left = np.where(flags & NAN_IS_ZERO, threshold >= 0.0, (flags & MISSING_LEFT) > 0)
    general = (trees["category_size"] > 0) | ((flags & ZERO_IS_MISSING) > 0)
    kind = np.where(general, GENERAL, np.where(nan_left, NUMERIC_NAN_LEFT, NUMERIC)).astype(np.uint8)
    arrays |= {f"{name}.{key}": trees[key][~leaf] for key in OF_SPLITS} | {
        f"{name}.leaf": leaf,
        f"{name}.kind": kind[~leaf],
        f"{name}.categories": trees["categories"],
        f"{name}.values": trees["values"][leaf],
        f"{name}.roots": trees["roots"],
        f"{name}.output": trees["output"] + 1,
        f"{name}.base": trees["base"],
    }
