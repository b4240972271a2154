"""The outputs of coded models, computed from their structure alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._fitted_model import (
    Composite,
    FittedModel,
    Linear,
    Mixture,
    OutputSpace,
    Prepared,
    RadialBasis,
)
from automl_explain.explainers.model._links import LINKS
from automl_explain.explainers.neural._dense_chain import DenseNetwork
from automl_explain.explainers.trees._predict import predict_trees
from automl_explain.explainers.trees._tree_ensemble import Trees

Matrix = npt.NDArray[np.float64]


def with_outputs(model: FittedModel, links: Mapping[str, str]) -> FittedModel:
    """Return a coded model with outputs that come from its structure.

    Parameters
    ----------
    model : FittedModel
        Its table is a coded matrix.
    links : mapping
        Output space -> name of the link from the model's `output_space` to it.
    """
    own = _Own(model)
    outputs: dict[OutputSpace, Any] = {model.output_space: own}
    for space, name in links.items():
        outputs[space] = _Linked(own, name)  # type: ignore[index]
    return replace(model, outputs=outputs)


def linked_spaces(model: FittedModel) -> dict[str, str]:
    """Return the links of a model from `with_outputs`: output space -> name of the link."""
    inner = {space: getattr(predict, "function", predict) for space, predict in model.outputs.items()}
    return {space: one.link for space, one in inner.items() if isinstance(one, _Linked)}


@dataclass(frozen=True, eq=False)
class _Own:
    """Outputs in the space of the structure."""

    model: FittedModel

    def __call__(self, table: Any) -> Matrix:
        structure = self.model.structure
        return expand_binary(PREDICTS[type(structure)](structure, self.model, table), self.model, axis=1)


@dataclass(frozen=True, eq=False)
class _Linked:
    """Outputs in another space."""

    own: _Own
    link: str

    def __call__(self, table: Any) -> Matrix:
        return np.asarray(LINKS[self.link](self.own(table)))


def _of_trees(structure: Any, model: FittedModel, table: Any) -> Matrix:
    return predict_trees(structure, model.encode(table), n_jobs=1 if len(table) <= 64 else None)


def _of_linear(structure: Any, model: FittedModel, table: Any) -> Matrix:
    return np.asarray(model.encode(table) @ structure.coef.T + structure.intercept)


def _of_kernels(structure: Any, model: FittedModel, table: Any) -> Matrix:
    matrix = model.encode(table)
    out = np.tile(structure.intercept, (len(matrix), 1))
    for part in structure.parts():
        distances = part.distances(matrix, np.zeros(matrix.shape[1], np.intp), 1)[:, 0]
        out += np.exp(-distances) @ part.weights
    return out


def _of_mixture(structure: Any, model: FittedModel, table: Any) -> Matrix:
    parts = (m.predict(table) @ weights for m, weights in zip(structure.members, structure.weights, strict=True))
    return np.asarray(structure.constant + sum(parts))


def _of_composite(structure: Any, model: FittedModel, table: Any) -> Matrix:
    rows = structure.passed(table) if structure.passthrough else None
    return np.asarray(structure.combine(structure.member_outputs(table), rows))


def _of_prepared(structure: Any, model: FittedModel, table: Any) -> Matrix:
    return np.asarray(structure.model.predict(structure.model.transform(table)))


def _of_network(structure: Any, model: FittedModel, table: Any) -> Matrix:
    return np.asarray(structure.outputs(model.encode(table)))


PREDICTS: dict[type, Callable[[Any, FittedModel, Any], Matrix]] = {
    Trees: _of_trees,
    Linear: _of_linear,
    RadialBasis: _of_kernels,
    Mixture: _of_mixture,
    Composite: _of_composite,
    Prepared: _of_prepared,
    DenseNetwork: _of_network,
}
"""Structure -> its outputs for a coded table."""
