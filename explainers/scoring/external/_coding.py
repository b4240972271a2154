"""External models as JSON and arrays, both ways. What is read says how to recognise a model; nothing of it is imported."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl_explain.explainers.bundles._facts import require
from automl_explain.explainers.neural._network import NetworkInput
from automl_explain.explainers.scoring.columns._native_format import NativeFormat
from automl_explain.explainers.scoring.columns._schema import Schema
from automl_explain.explainers.scoring.external._external_scorer import MOST_EXAMPLES, External, ExternalScorer
from automl_explain.explainers.scoring.models._coding import Arrays, floats


def encode_external(scorer: ExternalScorer, arrays: Arrays) -> dict[str, Any]:
    """Return what a bundle says of an external model as JSON, and put its arrays among `arrays`."""
    external, model = scorer.external, scorer.model
    arrays |= {"external.examples": external.examples, "external.outputs": external.outputs}
    inputs = external.inputs
    return {
        "class_path": external.class_path,
        "why": external.why,
        "state": external.state,
        "given": external.given.as_json(),
        "engineered": None if external.engineered is external.given else external.engineered.as_json(),
        "inputs": None if inputs is None else [[list(one.shape), one.dtype, one.name] for one in inputs],
        "description": {
            "space": model.output_space,
            "task": model.task,
            "kind": model.kind,
            "is_raw_space": scorer.labels.is_raw_space,
        },
    }


def decode_external(stored: dict[str, Any], schema: Schema, arrays: Arrays) -> External:
    """Return the external model that `encode_external` wrote.

    Raises
    ------
    InvalidInputError
        If an array has another type or shape, or a table cannot be described.
    """
    given = NativeFormat.of_json(stored["given"])
    engineered = given if stored["engineered"] is None else NativeFormat.of_json(stored["engineered"])
    examples = floats(arrays, "external.examples", 2, finite=False)
    outputs = floats(arrays, "external.outputs", 2)
    require(given.schema == schema and examples.shape[1] == len(schema.columns), "external")
    require(0 < len(examples) == len(outputs) <= MOST_EXAMPLES, "external")
    for matrix in (examples, arrays["background"]):
        at = given if matrix is examples else engineered
        require(matrix.ndim == 2 and matrix.shape[1] == len(at.schema.columns), "external")
        for column, codes in zip(at.schema.columns, matrix.T, strict=True):
            known = codes[~np.isnan(codes)]
            n = None if column.categories is None else len(column.categories)
            require(n is None or ((known >= 0) & (known < n) & (known == np.round(known))).all(), column.name)
    inputs = stored["inputs"]
    if inputs is not None:
        inputs = tuple(NetworkInput(tuple(map(int, shape)), str(dtype), str(name)) for shape, dtype, name in inputs)
        require(all(min(one.shape, default=0) > 0 and np.dtype(one.dtype).kind in "biuf" for one in inputs), "inputs")
        require(sum(one.size for one in inputs) == examples.shape[1], "inputs")
    return External(
        class_path=str(stored["class_path"]),
        why=str(stored["why"]),
        state=str(stored["state"]),
        given=given,
        engineered=engineered,
        examples=examples,
        outputs=outputs,
        inputs=inputs,
    )
