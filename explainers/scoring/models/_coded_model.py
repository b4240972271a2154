"""From a described model, which calls its library, to the same model over coded tables, which is data.

A coded table is the float64 matrix that `Schema.read` makes: numbers, and the codes of categories. What is not a function of
single columns, or has no form as arrays, is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.model._final_estimator import FinalModel
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Mixture, Prepared, Structure
from automl_explain.explainers.model._links import LinkFunction, WeightedSum, find_link, name_of
from automl_explain.explainers.model._structures import Linear, Opaque, RadialBasis
from automl_explain.explainers.neural._dense_chain import DenseNetwork
from automl_explain.explainers.scoring.columns._column_map import ColumnMap
from automl_explain.explainers.scoring.columns._native_rows import NativeRows, native_rows
from automl_explain.explainers.scoring.models._class_shares import Calibrated, Coupled, OnePerClass, Votes
from automl_explain.explainers.scoring.models._outputs import CodedFinal, with_outputs
from automl_explain.explainers.tables._column_functions import (
    ColumnFunction,
    Columnwise,
    NotColumnwiseError,
    columns_of,
    input_columns,
)
from automl_explain.explainers.tables._table import Table, as_table
from automl_explain.explainers.trees._tree_ensemble import Trees

LEAVES = (Trees, Linear, RadialBasis, DenseNetwork)
"""Structures that read a float64 matrix."""
DATA = (WeightedSum, LinkFunction, Votes, Coupled, Calibrated, OnePerClass)
"""Functions of the members' outputs that are data."""
LINK_ROWS = 64
"""Rows by which the link between two output spaces is found."""


@dataclass(frozen=True, eq=False)
class CodedModel:
    """A model over coded tables, and the map from the caller's coded rows to them.

    Parameters
    ----------
    intake : ColumnMap
        From the caller's coded rows to the table that `model` reads.
    model : FittedModel
        Its tables are float64 matrices, and its functions are data.
    code : callable
        From an engineered table in the format of the described model to the coded one.
    """

    intake: ColumnMap
    model: FittedModel
    code: Callable[[Table], npt.NDArray[np.float64]]


def known_categories(model: FittedModel, n_inputs: int) -> dict[int, tuple[Any, ...]]:
    """Return the categories of the caller's columns that a model's preprocessing lists."""
    known: dict[int, dict[Any, None]] = {}
    for column in _columns(model, n_inputs):
        if column.known is not None:
            known.setdefault(column.source, {}).update(dict.fromkeys(column.known))
    return {source: tuple(values) for source, values in known.items()}


def coded_model(model: FittedModel, rows: NativeRows) -> CodedModel:
    """Return a model over coded tables.

    Parameters
    ----------
    model : FittedModel
        The model in the output and feature space that is explained.
    rows : NativeRows
        Example rows of the caller.

    Raises
    ------
    NotColumnwiseError
        If the model, or its preprocessing, has no form as data.
    """
    columns = _columns(model, len(rows.schema.columns))
    if isinstance(model.structure, LEAVES):

        def encode(table: Table) -> npt.NDArray[np.float64]:
            return _dense(model.encoded(model.transform(table.data)))

        if isinstance(model.encode, Columnwise):
            columns = model.encode.columns(columns)
        intake = rows.map_columns(encode, columns, f"the preprocessing of {model.name}")
        bare = replace(model, encode=_same, preprocessing=None, recode=None, structure=_as_data(model.structure))
        return CodedModel(
            intake, with_outputs(bare, _links(model, rows)), lambda table: _dense(model.encoded(table.data))
        )
    if model.preprocessing is None:
        made = convert(model, rows)
        every = rows.map_columns(rows.code, columns, "the identity")
        return CodedModel(every, with_outputs(made, _links(model, rows)), rows.code)
    engineered = native_rows(as_table(model.transform(rows.examples().data)), {}, None)

    def prepare(table: Table) -> npt.NDArray[np.float64]:
        return engineered.code(as_table(model.transform(table.data)))

    intake = rows.map_columns(prepare, columns, f"the preprocessing of {model.name}")
    inner = convert(replace(model, preprocessing=None), engineered)
    return CodedModel(intake, with_outputs(inner, _links(model, rows)), engineered.code)


def convert(model: FittedModel, rows: NativeRows) -> FittedModel:
    """Return a model without preprocessing over coded tables; see `coded_model`."""
    structure = model.structure
    bare = replace(model, preprocessing=None, recode=None, encode=_same)
    if model.by_table:
        raise NotColumnwiseError(f"{model.name} codes text by the other rows of the table")
    if isinstance(structure, LEAVES):
        encode: Callable[[Any], Any] = coded_model(replace(model, preprocessing=None), rows).intake
        return with_outputs(replace(bare, structure=_as_data(structure), encode=encode), {})
    if isinstance(structure, Mixture):
        members = tuple(convert(member, rows) for member in structure.members)
        return with_outputs(replace(bare, structure=replace(structure, members=members)), {})
    if isinstance(structure, Prepared):
        inner = coded_model(structure.model, rows)
        return with_outputs(replace(bare, structure=Prepared(replace(inner.model, preprocessing=inner.intake))), {})
    if isinstance(structure, Composite):
        return with_outputs(replace(bare, structure=_composite(structure, rows)), {})
    if isinstance(structure, Opaque):
        raise NotColumnwiseError(f"{model.name} is a black box: {structure.why}")
    raise NotColumnwiseError(f"{model.name} has the structure {type(structure).__name__}")


def _composite(structure: Composite, rows: NativeRows) -> Composite:
    examples = rows.table.take(np.arange(min(LINK_ROWS, len(rows.table)))).data
    members = tuple((convert(member.in_space(space, examples), rows), space) for member, space in structure.members)
    combine: Any = structure.combine
    passed: Callable[[Any], Any] = _same
    if structure.by_table:
        raise NotColumnwiseError("the stack codes text by the other rows of the table")
    if structure.passthrough:
        columns = input_columns(len(rows.schema.columns))
        passed = rows.map_columns(
            lambda table: _dense(structure.passed(table.data)), columns, "what a stack passes through"
        )
    if isinstance(combine, FinalModel):
        combine = _final(combine, structure, rows, passed)
    elif not isinstance(combine, DATA):
        raise NotColumnwiseError(f"{structure.why}, which has no form as data")
    return replace(structure, members=members, combine=combine, scores=None, passed=passed)


def _final(final: FinalModel, stack: Composite, rows: NativeRows, passed: Callable[[Any], Any]) -> FinalModel:
    """Return a stack's final estimator over coded tables."""
    table = rows.table.data
    inputs = final.inputs(
        stack.member_outputs(table)[:, final.reads], None if final.passed is None else stack.passed(table)
    )
    read = native_rows(as_table(_dense(inputs)), {}, None)
    links = _links(final.model, read)
    if final.space != final.model.output_space and final.space not in links:
        raise NotColumnwiseError(f"the {final.space} of {final.model.name} is no known function of its structure")
    model = with_outputs(
        convert(final.model, read), {space: name for space, name in links.items() if space == final.space}
    )
    return CodedFinal(model, final.space, final.reads, None if final.passed is None else _same)


def _links(model: FittedModel, rows: NativeRows) -> dict[str, str]:
    """Return the links to the other output spaces of a model that reproduce its outputs for example rows."""
    table = rows.table.take(np.arange(min(LINK_ROWS, len(rows.table)))).data
    engineered = model.transform(table)
    own, found = model.predict(engineered), {}
    for space, predict in model.outputs.items():
        if space != model.output_space:
            link = find_link(model.output_space, space, own, predict(engineered))
            if link is not None:
                found[str(space)] = name_of(link)
    return found


def _columns(model: FittedModel, n_inputs: int) -> tuple[ColumnFunction, ...]:
    inputs = input_columns(n_inputs)
    return inputs if model.preprocessing is None else columns_of(model.preprocessing, inputs)


def _as_data(structure: Structure) -> Structure:
    return structure.for_kernels() if isinstance(structure, Trees) else structure


def _same(table: Any) -> Any:
    return table


def _dense(matrix: Any) -> npt.NDArray[np.float64]:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=np.float64)
