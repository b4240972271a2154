"""What a request is refused with: a status, a sentence, and the columns that are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_explain.explainers._errors import plain

SHOWN = 20
"""Columns that an answer lists."""
LONGEST = 300
"""Characters of a sentence about a column."""


class RequestError(Exception):
    """A request that is not answered with numbers.

    Parameters
    ----------
    status : int
        HTTP status code.
    error : str
        What was expected, what came, and what to do.
    columns : mapping, optional
        Column -> what is wrong with it.
    headers : mapping, optional
        Headers of the answer.
    """

    def __init__(
        self,
        status: int,
        error: str,
        columns: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status, self.error = status, error
        self.columns, self.headers = dict(columns or {}), dict(headers or {})

    def as_json(self) -> dict[str, Any]:
        """Return the body of the answer; the key "error" is the one that KServe's and the Open Inference protocol use."""
        said: dict[str, Any] = {"error": plain(self.error), "status": self.status}
        if self.columns:
            said["columns"] = {name[:LONGEST]: why[:LONGEST] for name, why in list(self.columns.items())[:SHOWN]}
            if len(self.columns) > SHOWN:
                said["more_columns"] = len(self.columns) - SHOWN
        return said


def wrong_columns(columns: Mapping[str, str]) -> RequestError:
    """Return the problem of columns that do not match the bundle's schema."""
    first = [f"{name!r} {why}" for name, why in list(columns.items())[:3]]
    more = f"; and {len(columns) - 3} more" if len(columns) > 3 else ""
    said = f"{'; '.join(first)[: 3 * LONGEST]}{more}"
    end = "" if said.endswith("?") else "."
    return RequestError(422, f"The rows do not match the columns of the model: {said}{end}", columns)
