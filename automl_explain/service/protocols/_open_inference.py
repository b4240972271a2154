"""The Open Inference Protocol, v2: tensors in and out as JSON, or as bytes behind it (the binary tensor data extension).

A request has one tensor for each column, of shape [n] or [n, 1] and named after it, or one tensor of shape [n, f] with the
columns in the order of the model. "outputs" of the request chooses among the tensors of the answer, and which of them are
bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from automl_explain.explainers.scoring.columns._schema import Column
from automl_explain.service._problems import RequestError, wrong_columns
from automl_explain.service.models._served_model import Scored, ServedModel, output_labels
from automl_explain.service.protocols._bodies import BINARY, JSON, tensor_bytes, tensors_document, tensors_reply
from automl_explain.service.protocols._protocol import Answered, Asked, Protocol, as_object, by_row, flag, plain
from automl_explain.service.protocols._tables import TableReader

NUMBERS = (float, int)
DATATYPES: dict[str, tuple[type, ...]] = {
    "BOOL": (bool,),
    "BYTES": (str,),
    **dict.fromkeys(("FP16", "FP32", "FP64"), NUMBERS),
    **{f"{sign}INT{bits}": (int,) for sign in ("", "U") for bits in (8, 16, 32, 64)},
}
"""Type of a tensor -> Python's types of its elements; null is a missing cell."""
OUTPUTS: dict[str, Callable[[Scored], Any]] = {
    "predictions": lambda scored: np.array(scored.predictions),
    "outputs": lambda scored: scored.outputs,
    "probabilities": lambda scored: scored.probabilities,
    "base_values": lambda scored: scored.base_values,
    "local_importance": lambda scored: None if scored.values is None else by_row(scored.values),
}
"""Name of an output -> its tensor; the rows are its first axis, but for "base_values"."""
EXPLAINED = {"base_values", "local_importance"}


def metadata(name: str, model: ServedModel) -> dict[str, Any]:
    """Return the answer to ``GET /v2/models/{model}``."""
    known = output_labels(model)
    n_classes, n_features = 1 if known is None else len(known), len(model.features)
    values = [-1, n_features] if known is None else [-1, n_classes, n_features]
    shapes = {"outputs": [-1, n_classes], "base_values": [n_classes], "local_importance": values}
    if model.classes is not None:
        shapes["probabilities"] = [-1, n_classes]
    first = np.array(model.classes if model.classes is not None else [0.0])
    of_rows = [-1] if model.targets is None else [-1, n_classes]
    outputs = [{"name": "predictions", "datatype": _datatype(first), "shape": of_rows}]
    outputs += [{"name": key, "datatype": "FP64", "shape": shapes[key]} for key in OUTPUTS if key in shapes]
    inputs = [{"name": column.name, "datatype": _input_type(column), "shape": [-1]} for column in model.columns]
    return {
        "name": name,
        "versions": [model.version],
        "platform": "automl_explain",
        "inputs": inputs,
        "outputs": outputs,
    }


def read(document: Any, reader: TableReader) -> Asked:
    """Read a body."""
    given = as_object(document, {"id", "parameters", "inputs", "outputs"})
    tensors = given.get("inputs")
    if not isinstance(tensors, list) or not tensors or not all(isinstance(one, dict) for one in tensors):
        raise RequestError(422, '"inputs" must be a list of tensors.')
    if given.get("id") is not None and not isinstance(given["id"], str):
        raise RequestError(422, '"id" must be text.')
    every = flag(_parameters(given), "binary_data_output", False)
    wanted = _wanted(given.get("outputs"), every)
    form = {"id": given.get("id"), "outputs": wanted or dict.fromkeys(OUTPUTS, every)}
    explain = not wanted or bool(EXPLAINED & set(wanted))
    names = [one.get("name") for one in tensors]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise RequestError(422, 'Each tensor must have a "name" of its own.')
    if len(tensors) == 1 and names[0] not in reader.names:
        shape, cells = _tensor(tensors[0])
        if len(shape) == 2 and shape[1] == len(reader.names):
            return Asked(
                reader.positional([cells[i : i + shape[1]] for i in range(0, len(cells), shape[1])]), explain, 0, form
            )
    reader.check_names(names)
    columns, wrong = {}, {}
    for name, one in zip(names, tensors, strict=True):
        shape, columns[name] = _tensor(one)
        if len(shape) > 2 or shape[1:] not in ([], [1]):
            wrong[name] = f"must have shape [n] or [n, 1]; got {shape}"
    if wrong:
        raise wrong_columns(wrong)
    return Asked(reader.lists(columns), explain, 0, form)


def _parameters(given: dict[str, Any]) -> dict[str, Any]:
    found = given.get("parameters")
    if found is not None and not isinstance(found, dict):
        raise RequestError(422, '"parameters" must be an object.')
    return found or {}


def _wanted(outputs: Any, binary: bool) -> dict[str, bool]:
    """Return the outputs that are asked for, and whether as bytes; none if the request leaves the choice to us.

    Parameters
    ----------
    outputs : object
        What the request says.
    binary : bool
        Whether outputs are bytes where it does not say so.
    """
    if outputs is None:
        return {}
    if not isinstance(outputs, list) or not all(isinstance(one, dict) for one in outputs):
        raise RequestError(422, '"outputs" must be a list of objects with a "name".')
    names = [one.get("name") for one in outputs]
    unknown = [name for name in names if not isinstance(name, str) or name not in OUTPUTS]
    if unknown:
        raise RequestError(422, f"The outputs are {', '.join(OUTPUTS)}. Got {str(unknown[0])[:100]!r}.")
    return {one["name"]: flag(_parameters(one), "binary_data", binary) for one in outputs}


def _tensor(tensor: dict[str, Any]) -> tuple[list[int], list[Any]]:
    """Return the shape of a tensor and its elements, row by row."""
    name, shape, data = tensor["name"], tensor.get("shape"), tensor.get("data")
    kind = tensor.get("datatype")
    if not isinstance(kind, str) or kind not in DATATYPES:
        raise wrong_columns({name: f"must have a datatype among {', '.join(DATATYPES)}"})
    whole = isinstance(shape, list) and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in shape)
    if not isinstance(shape, list) or not whole or not 1 <= len(shape) <= 2:
        raise wrong_columns({name: "must have a shape of one or two sizes, such as [n]"})
    if not isinstance(data, list):
        raise wrong_columns({name: 'must have "data", a list'})
    cells = [cell for row in data for cell in row] if data and all(isinstance(row, list) for row in data) else data
    if len(cells) != int(np.prod(shape, dtype=object)):
        raise wrong_columns({name: f"has {len(cells)} elements; its shape {shape} says otherwise"})
    types = DATATYPES[kind]
    if any(cell is not None and type(cell) not in types for cell in cells):
        raise wrong_columns({name: f"holds elements that are not of its datatype {kind}"})
    return shape, cells


def answer(answered: Answered) -> dict[str, Any]:
    """Return the tensors that were asked for, by default all."""
    form, scored = answered.asked.form, answered.scored
    tensors = []
    for name, binary in form["outputs"].items():
        made = OUTPUTS[name](scored)
        if made is not None:
            cells = made.ravel().tolist() if name == "predictions" else plain(made.ravel())
            data = tensor_bytes(made) if binary else cells
            tensors.append({"name": name, "datatype": _datatype(made), "shape": list(made.shape), "data": data})
    named = {} if form["id"] is None else {"id": form["id"]}
    return {"model_name": answered.name, "model_version": answered.model.version, **named, "outputs": tensors}


def _datatype(array: Any) -> str:
    return {"f": "FP64", "i": "INT64", "u": "INT64", "b": "BOOL"}.get(array.dtype.kind, "BYTES")


def _input_type(column: Column) -> str:
    if column.kind != "category" or column.categories is None:
        return "BYTES" if column.kind == "date" else "FP64"
    kinds = {type(value) for value in column.categories}
    return {frozenset({bool}): "BOOL", frozenset({int}): "INT64", frozenset({str}): "BYTES"}.get(
        frozenset(kinds), "FP64"
    )


PROTOCOL = Protocol("open_inference", read, answer, {JSON: tensors_document, BINARY: tensors_document}, tensors_reply)
