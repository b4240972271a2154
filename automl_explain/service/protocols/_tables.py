"""From the tables of a request's JSON to columns of cells, checked against the columns of the model."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from automl_explain.explainers._arguments import nearest
from automl_explain.service._problems import RequestError, wrong_columns
from automl_explain.service.models._served_model import ServedModel

Columns = dict[str, list[Any]]
SPLIT = {"columns", "data", "index"}
"""Keys of a table as pandas' ``to_dict(orient="split")`` writes it."""

LARGEST = sys.float_info.max
NESTED, NUMBERS = frozenset({list, dict}), frozenset({float, int})
"""Types of cells that JSON has: those that hold others, and those that are numbers; it has no NaN."""
COMPARED, LONGEST_NAME = 20, 100
"""Unknown columns, and characters of their names, that are compared with missing columns: comparing takes time."""


def read_json(body: bytes) -> Any:
    """Return the JSON document of a body.

    Raises
    ------
    RequestError
        400 if it is not JSON, repeats a key, or holds NaN or an infinite number.
    """
    try:
        return json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise RequestError(400, f"The body must be one JSON document in UTF-8: {why}.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("an object has the same key twice")
    return made


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number; write null for a missing cell")


class TableReader:
    """Reads the rows of requests for one model.

    Parameters
    ----------
    model : ServedModel
    max_rows : int
        Rows of a request.
    """

    def __init__(self, model: ServedModel, max_rows: int) -> None:
        self.names = tuple(column.name for column in model.columns)
        self._known = set(self.names)
        self.model, self.max_rows = model, max_rows

    def table(self, given: Any) -> Columns:
        """Return the rows of a table in any of pandas' forms: records, split, columns; or of one record.

        Raises
        ------
        RequestError
            422 if it has none of these forms or does not match the columns; 413 if it has too many rows.
        """
        if isinstance(given, list):
            return self.records(given)
        if not isinstance(given, dict):
            raise RequestError(
                422, f"Rows must be a list of objects, or an object of columns. Got {_json_type(given)}."
            )
        if {"columns", "data"} <= set(given) <= SPLIT and not set(given) <= self._known:
            return self.split(given)
        return self.by_column(given)

    def records(self, rows: Any) -> Columns:
        """Return the rows of a list of objects."""
        if not isinstance(rows, list):
            raise RequestError(422, f"Records must be a list of objects. Got {_json_type(rows)}.")
        self._check_count(len(rows))
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise RequestError(
                    422, f"Each row must be an object of column and cell. Got {_json_type(row)} at position {number}."
                )
            if row.keys() != self._known:
                self.check_names(row)
        return self._checked({name: [row[name] for row in rows] for name in self.names})

    def split(self, given: Any) -> Columns:
        """Return the rows of an object with "columns" and "data"."""
        if not isinstance(given, dict) or not {"columns", "data"} <= set(given) <= SPLIT:
            raise RequestError(422, 'A table in split form must be an object with "columns" and "data".')
        names, rows = given["columns"], given["data"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise RequestError(422, 'The "columns" of a table must be a list of names.')
        if len(set(names)) < len(names):
            twice = {name: "is there twice" for name in names if names.count(name) > 1}
            raise wrong_columns(twice)
        self.check_names(names)
        return self._checked(self._by_position(names, rows))

    def positional(self, rows: Any) -> Columns:
        """Return the rows of a list of lists, whose cells are in the order of the model's columns."""
        return self._checked(self._by_position(self.names, rows))

    def by_column(self, given: Any) -> Columns:
        """Return the rows of an object of columns: lists, objects of index and cell, or single cells for one row."""
        if not isinstance(given, dict):
            raise RequestError(422, f"Columns must be an object of name and cells. Got {_json_type(given)}.")
        self.check_names(given)
        cells = [given[name] for name in self.names]
        if all(isinstance(column, dict) for column in cells):
            keys = cells[0].keys()
            uneven = {
                n: "has other row labels" for n, column in zip(self.names, cells, strict=True) if column.keys() != keys
            }
            if uneven:
                raise wrong_columns(uneven)
            cells = [[column[key] for key in keys] for column in cells]
        elif not any(isinstance(column, list | dict) for column in cells):
            cells = [[cell] for cell in cells]
        return self.lists(dict(zip(self.names, cells, strict=True)))

    def lists(self, columns: Mapping[str, Any]) -> Columns:
        """Return the rows of an object of lists, which has the model's columns."""
        wrong = {name: "must be a list of cells" for name, cells in columns.items() if not isinstance(cells, list)}
        if wrong:
            raise wrong_columns(wrong)
        count = len(columns[self.names[0]])
        self._check_count(count)
        uneven = {n: f"has {len(cells)} rows, not {count}" for n, cells in columns.items() if len(cells) != count}
        if uneven:
            raise wrong_columns(uneven)
        return self._checked({name: columns[name] for name in self.names})

    def check_names(self, present: Iterable[str]) -> None:
        """Refuse columns that are missing or unknown, whatever their order."""
        found = set(present)
        if found == self._known:
            return
        missing = [name for name in self.names if name not in found]
        wrong = dict.fromkeys(missing, "is missing")
        for number, name in enumerate(sorted(found - self._known)):
            compared = missing and number < COMPARED and len(name) < LONGEST_NAME
            close = nearest(name, missing[:COMPARED]) if compared else None
            wrong[name] = "is unknown" + (f"; did you mean {close!r}?" if close else "")
        raise wrong_columns(wrong)

    def _by_position(self, names: Sequence[str], rows: Any) -> Columns:
        if not isinstance(rows, list):
            raise RequestError(422, f"Rows must be a list of lists. Got {_json_type(rows)}.")
        self._check_count(len(rows))
        for number, row in enumerate(rows):
            if not isinstance(row, list) or len(row) != len(names):
                came = f"{len(row)} cells" if isinstance(row, list) else _json_type(row)
                raise RequestError(
                    422, f"Each row must be a list of {len(names)} cells. Got {came} at position {number}."
                )
        return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))

    def _check_count(self, count: int) -> None:
        if count == 0:
            raise RequestError(422, "There must be at least one row. Got none.")
        if count > self.max_rows:
            raise RequestError(413, f"A request may have {self.max_rows:,} rows. Got {count:,}: send them in parts.")

    def _checked(self, columns: Columns) -> Columns:
        wrong = {}
        for name, cells in columns.items():
            kinds = set(map(type, cells))
            if not kinds.isdisjoint(NESTED):
                wrong[name] = "must hold numbers, text, booleans or null; got a list or an object"
                continue
            numbers = cells if kinds <= NUMBERS else [cell for cell in cells if type(cell) in NUMBERS]
            if numbers and not -LARGEST <= min(numbers) <= max(numbers) <= LARGEST:
                wrong[name] = "holds a number that is too large"
        wrong = wrong or self.model.problems(columns)
        if wrong:
            raise wrong_columns(wrong)
        return columns


def _json_type(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
