"""From an explainer whose model has no form as data to an `ExternalScorer`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl_explain.explainers.methods._explainer import ShapleyExplainer
from automl_explain.explainers.methods._kernel import KernelEngine
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.neural._network import Network, NetworkInput
from automl_explain.explainers.scoring.columns._column_map import identity
from automl_explain.explainers.scoring.columns._native_format import NativeFormat
from automl_explain.explainers.scoring.columns._native_rows import NativeRows, native_rows
from automl_explain.explainers.scoring.external._external_scorer import (
    MOST_EXAMPLES,
    External,
    ExternalScorer,
    check_examples,
    is_flat,
    outputs_of,
    weights_digest,
)
from automl_explain.explainers.tables._column_functions import NotColumnwiseError
from automl_explain.explainers.tables._table import as_table


def external_scorer(explainer: ShapleyExplainer, rows: NativeRows, why: str, parts: dict[str, Any]) -> ExternalScorer:
    """Return a scorer that calls the model of an explainer.

    Parameters
    ----------
    explainer : ShapleyExplainer
    rows : NativeRows
        Example rows of the caller.
    why : str
        Why the model has no form as data.
    parts : dict
        What the explainer is: fields of `Scorer`, with a game that has no background.

    Raises
    ------
    NotColumnwiseError
        If the tables that the model reads cannot be stored, or its class is not known.
    InvalidInputError
        If the model gives other outputs for rows that were stored.
    """
    explained, engine = explainer._explained, explainer._engine
    model = explained.model
    if explained.background is None or explained.engineered is None:
        raise NotColumnwiseError("the explainer has no background")
    if isinstance(model.structure, Network) and not model.class_path:
        raise NotColumnwiseError(
            "functions of tensors cannot be passed again: explain a module that calls the function"
        )
    if model.by_table:
        raise NotColumnwiseError(f"{model.name} codes text by the other rows of the table")
    given = NativeFormat.of(rows.table, rows.schema)
    engineered = given
    if model.preprocessing is not None:
        inner = native_rows(as_table(model.transform(rows.examples().data)), {}, None)
        engineered = NativeFormat.of(inner.table, inner.schema)
    few = explained.background.take(np.arange(min(MOST_EXAMPLES, len(explained.background)))).alone()
    external = External(
        class_path=model.class_path,
        why=why,
        state=weights_digest(model.structure),
        given=given,
        engineered=engineered,
        examples=given.code(few),
        outputs=outputs_of(model, few),
        inputs=_inputs(model),
    )
    check_examples(model, few, external)
    background = engine.background if isinstance(engine, KernelEngine) else explained.engineered
    weights = engine.share if isinstance(engine, KernelEngine) else explained.weights
    game = replace(parts["game"], background=engineered.code(background.alone()), weights=weights)
    return ExternalScorer(
        schema=rows.schema,
        intake=identity(len(rows.schema.columns)),
        model=model,
        fingerprint=external.fingerprint,
        external=external,
        **(parts | {"game": game}),
    )


def _inputs(model: FittedModel) -> tuple[NetworkInput, ...] | None:
    """Return the inputs of a network whose rows are no table."""
    network = model.structure
    if not isinstance(network, Network) or model.preprocessing is not None:
        return None
    is_table = is_flat(network.inputs) and not network.inputs[0].name
    return None if is_table else network.inputs
