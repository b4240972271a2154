"""The members of ensembles in the output spaces in which they enter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Mixture, Prepared
from automl_explain.explainers.tables._table import Table

EXAMPLES = 64
"""Rows on which links between output spaces are detected."""


def linked(model: FittedModel, table: Table) -> FittedModel:
    """Return a model whose members, at any depth, have the structure of the output with which they enter.

    A member whose link from one output space to the other is not known becomes opaque: its masked rows are predicted.

    Parameters
    ----------
    model : FittedModel
    table : Table
        Rows in the model's engineered format. The first of them are examples.
    """
    if not isinstance(model.structure, Composite | Mixture | Prepared):
        return model
    return _linked(model, table.take(np.arange(min(EXAMPLES, len(table)))))


def _linked(model: FittedModel, examples: Table) -> FittedModel:
    structure = model.structure
    if isinstance(structure, Composite):
        members = tuple(
            (_linked(member.in_space(space, examples.data), examples), space) for member, space in structure.members
        )
        return replace(model, structure=replace(structure, members=members))
    if isinstance(structure, Mixture):
        mixed = tuple(_linked(member, examples) for member in structure.members)
        return replace(model, structure=replace(structure, members=mixed))
    if isinstance(structure, Prepared):
        inner = _linked(structure.model, structure.table(examples))
        return replace(model, structure=replace(structure, model=inner))
    return model
