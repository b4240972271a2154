"""The outputs of coded models, which come from their structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers.model._final_estimator import FinalModel
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._links import LINKS
from automl_explain.explainers.model._structures import OutputSpace
from automl_explain.explainers.predictions._structure_outputs import StructurePredictor, structure_predictor
from automl_explain.explainers.tables._table import Table

Matrix = npt.NDArray[np.float64]


class CodedFinal(FinalModel):
    """The final estimator of a stack over coded tables; its outputs come from its structure."""


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
        outputs[space] = _Linked(own, name)  # type: ignore[index]  # the keys are output spaces
    return replace(model, outputs=outputs)


def linked_spaces(model: FittedModel) -> dict[str, str]:
    """Return the links of a model from `with_outputs`: output space -> name of the link."""
    inner = {space: getattr(predict, "function", predict) for space, predict in model.outputs.items()}
    return {space: one.link for space, one in inner.items() if isinstance(one, _Linked)}


@dataclass(frozen=True, eq=False)
class _Own:
    """Outputs in the space of the structure."""

    model: FittedModel

    @cached_property
    def _predictor(self) -> StructurePredictor:
        found = structure_predictor(self.model)
        if found is None:
            raise UnsupportedModelError(f"The structure of {self.model.name} has a part that cannot be predicted.")
        return found

    def __call__(self, table: Any) -> Matrix:
        return self._predictor(Table(table))


@dataclass(frozen=True, eq=False)
class _Linked:
    """Outputs in another space."""

    own: _Own
    link: str

    def __call__(self, table: Any) -> Matrix:
        return np.asarray(LINKS[self.link](self.own(table)))
