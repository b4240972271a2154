"""MLflow's scoring protocol, ``POST /invocations``: JSON or CSV in; the answer has a record for each row, as a frame would."""

from __future__ import annotations

from typing import Any

from automl_explain.service._problems import RequestError
from automl_explain.service.models._served_model import Scored, ServedModel, output_labels
from automl_explain.service.protocols._bodies import CSV, JSON, csv_document, json_document
from automl_explain.service.protocols._kserve import rows
from automl_explain.service.protocols._protocol import Answered, Asked, Protocol, as_object, flag, plain
from automl_explain.service.protocols._tables import TableReader


def _inputs(given: Any, reader: TableReader) -> dict[str, list[Any]]:
    return reader.by_column(given) if isinstance(given, dict) else rows(given, reader)


TABLES = {
    "dataframe_split": lambda given, reader: reader.split(given),
    "dataframe_records": lambda given, reader: reader.records(given),
    "instances": rows,
    "inputs": _inputs,
}
"""Key of a table -> how it is read."""


def read(document: Any, reader: TableReader) -> Asked:
    """Read a body."""
    given = as_object(document, {*TABLES, "params"})
    named = [name for name in TABLES if name in given]
    if len(named) != 1:
        raise RequestError(422, f"The body must have one of {', '.join(TABLES)}. Got {', '.join(named) or 'none'}.")
    params = {} if given.get("params") is None else given["params"]
    explain = flag(as_object(params, {"explain"}), "explain", True)
    return Asked(TABLES[named[0]](given[named[0]], reader), explain)


def flat_columns(model: ServedModel, scored: Scored) -> dict[str, list[Any]]:
    """Return scores as the columns of a frame with a row for each row.

    The columns are "prediction"; "output", "base_value" and "local_importance.<feature>" for a regression; for a
    classification the same with the class behind the first word, as in "local_importance.<class>.<feature>", and
    "probability.<class>". For several targets the target is behind the first word, also of "prediction.<target>".
    """
    made: dict[str, list[Any]] = {} if model.targets is not None else {"prediction": list(scored.predictions)}
    known = output_labels(model)
    labels = [""] if known is None else [f".{label}" for label in known]
    for c, label in enumerate(labels):
        if model.targets is not None:
            made[f"prediction{label}"] = plain(scored.outputs[:, c])
        made[f"output{label}"] = plain(scored.outputs[:, c])
        if scored.probabilities is not None:
            made[f"probability{label}"] = plain(scored.probabilities[:, c])
        if scored.values is not None and scored.base_values is not None:
            made[f"base_value{label}"] = [float(scored.base_values[c])] * len(scored.predictions)
            values = scored.values if known is None else scored.values[c]
            for name, column in zip(model.features, plain(values.T), strict=True):
                made[f"local_importance{label}.{name}"] = column
    return made


def answer(answered: Answered) -> dict[str, Any]:
    """Return a record for each row."""
    columns = flat_columns(answered.model, answered.scored)
    return {"predictions": [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]}


PROTOCOL = Protocol("mlflow", read, answer, {JSON: json_document, CSV: csv_document})
