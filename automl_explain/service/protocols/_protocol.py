"""What a protocol is: a reading of requests and a form of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from automl_explain.service._problems import RequestError
from automl_explain.service.models._served_model import Cells, Matrix, Scored, ServedModel
from automl_explain.service.protocols._bodies import JSON, Parse, Reply, json_document, json_reply
from automl_explain.service.protocols._tables import TableReader

TOP_K = 3
"""Reasons of a row, by default."""


@dataclass(frozen=True)
class Asked:
    """A request that has been read.

    Parameters
    ----------
    cells : mapping
        Columns of rows, in the order of the model.
    explain : bool
        Whether local importance values are asked for.
    top_k : int
        Reasons of a row.
    form : mapping
        What the protocol's answer depends on.
    """

    cells: Cells
    explain: bool = True
    top_k: int = 0
    form: Mapping[str, Any] = field(default_factory=dict)


class Answered(NamedTuple):
    """A request with its scores, from which an answer is made."""

    name: str
    model: ServedModel
    asked: Asked
    scored: Scored


@dataclass(frozen=True)
class Protocol:
    """A way of asking for scores.

    Parameters
    ----------
    name : str
        Label in the metrics.
    read : callable
        From the JSON document and the reader of tables to what is asked.
    answer : callable
        From the scores to a JSON document.
    media : mapping
        Content-Type of a body -> how its document is read.
    reply : callable
        From the document of the answer to its bytes.
    """

    name: str
    read: Callable[[Any, TableReader], Asked]
    answer: Callable[[Answered], dict[str, Any]]
    media: Mapping[str, Parse] = field(default_factory=lambda: {JSON: json_document})
    reply: Callable[[dict[str, Any]], Reply] = json_reply


def plain(array: Matrix) -> list[Any]:
    """Return an array as nested lists, with None for NaN, which JSON cannot hold."""
    finite = np.isfinite(array)
    if finite.all():
        return array.tolist()  # type: ignore[no-any-return]
    cells = array.astype(object)
    cells[~finite] = None
    return cells.tolist()  # type: ignore[no-any-return]


def by_row(values: Matrix) -> Matrix:
    """Return values (n, f) or (C, n, f) with the rows first: (n, f) or (n, C, f)."""
    return values if values.ndim == 2 else values.transpose(1, 0, 2)


def as_object(document: Any, keys: set[str]) -> dict[str, Any]:
    """Return a document that must be an object with some of the keys.

    Raises
    ------
    RequestError
        422 if it is not, or has other keys.
    """
    if not isinstance(document, dict):
        raise RequestError(422, f"The body must be an object with {', '.join(sorted(keys))}.")
    unknown = sorted(set(document) - keys)
    if unknown:
        raise RequestError(
            422, f"The body may have the keys {', '.join(sorted(keys))}. Got {', '.join(unknown)[:200]!r}."
        )
    return document


def flag(document: Mapping[str, Any], key: str, default: bool) -> bool:
    """Return a boolean of a document; null means the default."""
    value = document.get(key)
    if value is not None and not isinstance(value, bool):
        raise RequestError(422, f"{key!r} must be true or false.")
    return default if value is None else value


def count(document: Mapping[str, Any], key: str, default: int) -> int:
    """Return a whole number that is 0 or more; null means the default."""
    value = document.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise RequestError(422, f"{key!r} must be a whole number, 0 or more.")
    return value
