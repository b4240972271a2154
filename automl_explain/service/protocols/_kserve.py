"""KServe's protocol v1: ``/v1/models/{model}:predict`` and ``:explain``, with "instances" in the body."""

from __future__ import annotations

from typing import Any

from automl_explain.explainers.formatting._numbers import python_value
from automl_explain.service._problems import RequestError
from automl_explain.service.protocols._protocol import Answered, Asked, Protocol, as_object, by_row, plain
from automl_explain.service.protocols._tables import TableReader


def rows(instances: Any, reader: TableReader) -> dict[str, list[Any]]:
    """Read instances: objects of column and cell, or lists of cells in the order of the model's columns."""
    if not isinstance(instances, list):
        raise RequestError(422, '"instances" must be a list of rows.')
    return reader.positional(instances) if instances and isinstance(instances[0], list) else reader.records(instances)


def _read(document: Any, reader: TableReader, explain: bool) -> Asked:
    given = as_object(document, {"instances", "signature_name", "parameters"})
    if "instances" not in given:
        raise RequestError(422, 'The body must have "instances", a list of rows.')
    return Asked(rows(given["instances"], reader), explain)


def _predicted(answered: Answered) -> dict[str, Any]:
    return {"predictions": list(answered.scored.predictions)}


def _explained(answered: Answered) -> dict[str, Any]:
    _, model, _, scored = answered
    assert scored.values is not None
    assert scored.base_values is not None
    values, outputs, base = plain(by_row(scored.values)), plain(scored.outputs), plain(scored.base_values)
    chances = [None] * len(outputs) if scored.probabilities is None else plain(scored.probabilities)
    facts = zip(scored.predictions, outputs, chances, values, strict=True)
    return {
        "predictions": list(scored.predictions),
        "explanations": [
            {
                "prediction": prediction,
                "outputs": output,
                "probabilities": chance,
                "base_values": base,
                "local_importance_values": value,
            }
            for prediction, output, chance, value in facts
        ],
        "features": list(model.features),
        "classes": None if model.classes is None else [python_value(label) for label in model.classes],
        "targets": None if model.targets is None else list(model.targets),
        "output_space": model.output_space,
        "model_name": answered.name,
        "model_version": model.version,
    }


PREDICT = Protocol("kserve_predict", lambda document, reader: _read(document, reader, False), _predicted)
EXPLAIN = Protocol("kserve_explain", lambda document, reader: _read(document, reader, True), _explained)
