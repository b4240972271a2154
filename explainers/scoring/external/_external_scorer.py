"""`ExternalScorer`: a scorer whose model has no form as data, with what a bundle keeps to recognise the model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._agreement import agree
from automl_explain.explainers._errors import AutoMLExplainError, ExternalModelError, InvalidInputError
from automl_explain.explainers.model._explained_model import engineer
from automl_explain.explainers.model._feature_space import in_feature_space
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.model._task import with_task
from automl_explain.explainers.neural._examples import Examples, as_examples, is_table, is_tensor, unflat
from automl_explain.explainers.neural._network import Network, NetworkInput
from automl_explain.explainers.scoring._scorer import Scorer
from automl_explain.explainers.scoring.columns._native_format import NativeFormat
from automl_explain.explainers.tables._table import Table

Matrix = npt.NDArray[np.float64]
SHARE = 1e-6
"""Largest difference of outputs of the same model, as a share of their spread."""
MOST_EXAMPLES = 64
"""Background rows on which a passed model is compared with the one that was explained."""


@dataclass(frozen=True, eq=False)
class External:
    """A model that a bundle does not hold.

    Parameters
    ----------
    class_path : str
        Module and name of its class, for the reader of a message; never imported.
    why : str
        Why it has no form as data.
    state : str
        SHA-256 of the weights of a network; empty if they are not known.
    given, engineered : NativeFormat
        The tables of the caller, and those that the model's last step reads.
    examples : ndarray, shape (n, f)
        Coded rows of the caller.
    outputs : ndarray, shape (n, K)
        The model's outputs for them.
    inputs : tuple of NetworkInput, or None
        The inputs of a network whose rows are no table.
    form : str
        Name of the format in which the bundle keeps the model, so that none is passed; empty if it does not.
    """

    class_path: str
    why: str
    state: str
    given: NativeFormat
    engineered: NativeFormat
    examples: Matrix
    outputs: Matrix
    inputs: tuple[NetworkInput, ...] | None = None
    form: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the weights and outputs of the model, by which two bundles of the same model can be told."""
        made = hashlib.sha256(f"{self.class_path} {self.state} {self.outputs.shape}".encode())
        for array in (self.examples, self.outputs):
            made.update(np.ascontiguousarray(array).tobytes())
        return made.hexdigest()


@dataclass(frozen=True, eq=False, kw_only=True)
class ExternalScorer(Scorer):
    """A scorer that calls a model; its `intake` keeps the caller's coded rows, and its `background` is engineered."""

    external: External

    @property
    def input_shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...] | None:
        inputs = self.external.inputs
        return None if inputs is None or is_flat(inputs) else tuple((each.name, each.shape) for each in inputs)

    @property
    def shares_outputs(self) -> bool:
        return False  # they are the fitted model's own, which may be rounded to float32

    @property
    def some_row(self) -> Matrix:
        return self.external.examples[:1]

    def code(self, X: Any) -> Matrix:
        inputs = self.external.inputs
        if inputs is not None and not _has_cells(X) and not (is_table(X) and not is_tensor(X) and _is_wide(X, inputs)):
            X = as_examples(X, "X", inputs).flat()
        return self.schema.read(X)

    def stored(self, matrix: Matrix) -> Table:
        return self.external.engineered.table(matrix)

    def table(self, matrix: Matrix) -> Table:
        return engineer(self.model, self.external.given.table(matrix), "the rows")


def weights_digest(structure: Any) -> str:
    """Return the SHA-256 of the weights of a network; empty if they are not known."""
    if not isinstance(structure, Network) or structure.state is None:
        return ""
    made, n_arrays = hashlib.sha256(), 0
    for name, array in structure.state():
        made.update(f"{name} {array.dtype.str} {array.shape}".encode())
        made.update(np.ascontiguousarray(array).tobytes())
        n_arrays += 1
    return made.hexdigest() if n_arrays else ""


def outputs_of(model: FittedModel, rows: Table) -> Matrix:
    """Return the outputs of a model for rows of the caller."""
    return predict_finite(model, engineer(model, rows, "the examples").data, "the examples")


def is_flat(inputs: tuple[NetworkInput, ...]) -> bool:
    """Whether the inputs of a network are one table."""
    return len(inputs) == 1 and len(inputs[0].shape) == 1


def described_again(passed: Any, external: External, facts: Mapping[str, Any], path: Any) -> FittedModel:
    """Return the description of the model that is passed to a bundle.

    Parameters
    ----------
    passed : object
        The fitted model. None: it is missing.
    external : External
        The model that was explained.
    facts : mapping
        What the bundle says of its description: "space", "task", "is_raw_space" and "kind".
    path : path-like
        The bundle, for messages.

    Raises
    ------
    ExternalModelError
        If it is missing, or another model.
    """
    wanted = f"the fitted {external.class_path}" if external.class_path else "the fitted model"
    if passed is None:
        raise ExternalModelError(
            f"The bundle {path} does not hold its model, since {external.why}. Pass {wanted} that was explained: "
            f"load(..., model=fitted). Commands, score files and services that load a bundle by themselves cannot do that: save "
            "it with the model in it, such as by model='skops' if it is made of scikit-learn's objects, serve it with "
            "create_app(load(..., model=fitted)) in your own code, or explain it by MimicExplainer with "
            "feature_space='raw', whose bundle needs no model."
        )

    def other(what: str) -> ExternalModelError:
        if external.form:
            return ExternalModelError(
                f"The model in the bundle {path} is not the one that was explained: {what}. Install the versions of its "
                "libraries that `automl-explain inspect` shows, or save a new bundle."
            )
        return ExternalModelError(
            f"The model passed to the bundle {path} is not the one that was explained: {what}. Pass {wanted}, as it was when the "
            "bundle was saved; for another model, explain it and save a new bundle."
        )

    rows = external.given.table(external.examples)
    try:
        found = _described(passed, external, rows)
        if facts["task"] == "binary" and found.task == "regression":
            found = with_task(found, "classification")
        some = engineer(found, rows, "the examples").data
        found = in_feature_space(found.in_space(facts["space"], some), "raw" if facts["is_raw_space"] else "engineered")
        outputs = outputs_of(found, rows)
    except AutoMLExplainError as error:
        raise other(f"it cannot take the bundle's rows ({error})") from error
    if found.task != facts["task"]:
        raise other(f"its task is {found.task}, not {facts['task']}")
    if weights_digest(found.structure) != external.state:
        raise other("its weights differ")
    if not agree(outputs, external.outputs, SHARE):
        raise other(f"its outputs for the {len(outputs)} rows that the bundle keeps differ")
    return replace(found, kind=facts["kind"])


def _described(passed: Any, external: External, rows: Table) -> FittedModel:
    if external.inputs is None:
        return describe(passed, rows.data)
    names = tuple(each.name for each in external.inputs)
    parts = unflat(external.examples, external.inputs)
    arrays = tuple(part.astype(each.dtype) for part, each in zip(parts, external.inputs, strict=True))
    return describe(passed, Examples(arrays, names if any(names) else ()))


def _has_cells(X: Any) -> bool:
    """Whether rows are a mapping of columns, or records of such mappings, of single cells."""
    first = X[0] if isinstance(X, list | tuple) and X else X
    if not isinstance(first, Mapping):
        return False
    return all(len(getattr(cells, "shape", ())) < 2 for cells in first.values())


def _is_wide(X: Any, inputs: tuple[NetworkInput, ...]) -> bool:
    shape = np.shape(X)
    return len(shape) == 2 and shape[1] == sum(prod(each.shape) for each in inputs)


def check_examples(model: FittedModel, rows: Table, external: External) -> None:
    """Refuse a model whose rows lose something when they are stored as numbers.

    Raises
    ------
    InvalidInputError
        If the outputs for the stored rows differ from those for the rows.
    """
    if not agree(outputs_of(model, external.given.table(external.examples)), outputs_of(model, rows), SHARE):
        raise InvalidInputError(
            f"{model.name} gives other outputs for rows that were stored and read again, such as columns that hold both None and "
            "NaN. Convert missing cells to one of them."
        )
