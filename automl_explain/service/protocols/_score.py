"""Our own protocol, ``POST /score``: a table in any of pandas' forms, and everything that is known of its rows.

The body is a table (a list of records, one record, split or columns form), or an object with one of "records", "split" and
"columns" and with options: "explain" (default true), "top_k" (default 3).
"""

from __future__ import annotations

from typing import Any

from automl_explain.explainers.formatting._numbers import python_value
from automl_explain.service._problems import RequestError
from automl_explain.service.protocols._protocol import TOP_K, Answered, Asked, Protocol, as_object, count, flag, plain
from automl_explain.service.protocols._reasons import DISCLAIMER, reasons
from automl_explain.service.protocols._tables import SPLIT, TableReader

TABLES = {"records": TableReader.records, "split": TableReader.split, "columns": TableReader.by_column}
"""Key of a table -> how it is read."""
OPTIONS = {"explain", "top_k"}


def read(document: Any, reader: TableReader) -> Asked:
    """Read a body."""
    bare = not isinstance(document, dict) or set(document) == set(reader.names)
    split = not bare and {"columns", "data"} <= set(document) <= SPLIT
    if bare or split or not set(document) & {*TABLES, *OPTIONS}:
        return Asked(reader.table(document), top_k=TOP_K)
    given = as_object(document, {*TABLES, *OPTIONS})
    named = [name for name in TABLES if name in given]
    if len(named) != 1:
        raise RequestError(422, f"The body must have one of {', '.join(TABLES)}. Got {', '.join(named) or 'none'}.")
    explain, top_k = flag(given, "explain", True), count(given, "top_k", TOP_K)
    return Asked(TABLES[named[0]](reader, given[named[0]]), explain, top_k)


def answer(answered: Answered) -> dict[str, Any]:
    """Return everything that is known of the rows."""
    _, model, asked, scored = answered
    made: dict[str, Any] = {
        "model": answered.name,
        "version": model.version,
        "predictions": list(scored.predictions),
        "classes": None if model.classes is None else [python_value(label) for label in model.classes],
        "targets": None if model.targets is None else list(model.targets),
        "probabilities": None if scored.probabilities is None else plain(scored.probabilities),
        "output_space": model.output_space,
        "outputs": plain(scored.outputs),
    }
    if scored.values is None or scored.base_values is None:
        return made
    made |= {
        "method": model.method,
        "features": list(model.features),
        "base_values": plain(scored.base_values),
        "local_importance_values": plain(scored.values),
    }
    if asked.top_k:
        made |= {"reasons": reasons(answered), "disclaimer": DISCLAIMER}
    return made


PROTOCOL = Protocol("score", read, answer)
