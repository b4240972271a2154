"""Raw and engineered columns: the description of a model in the feature space that is explained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._fitted_model import FittedModel, Prepared, Structure
from automl_explain.explainers.model._structures import Matrix, Opaque, Predict

FEATURE_SPACES = ("engineered", "raw")


def in_feature_space(model: FittedModel, feature_space: str) -> FittedModel:
    """Return the model as a function of raw or engineered columns.

    If each engineered column is made from one raw column, raw columns are players over the engineered ones: masking a raw
    column before the preprocessing is the same as masking all of its engineered columns. If the preprocessing mixes
    columns, raw columns are masked before it, and the model is explained from its predictions.

    Raises
    ------
    InvalidInputError
        If the feature space is unknown.
    """
    if feature_space not in FEATURE_SPACES:
        raise InvalidInputError(
            f"The 'feature_space' parameter must be one of {FEATURE_SPACES}. Got {feature_space!r}."
        )
    if feature_space == "engineered" or model.preprocessing is None:
        return model
    return model if model.feature_map is not None else over_raw(model)


def over_raw(model: FittedModel) -> FittedModel:
    """Return the model as a function of raw columns, with the preprocessing inside, as for members of an ensemble."""
    if model.preprocessing is None:
        return model
    structure: Structure = Prepared(model)
    if isinstance(model.structure, Opaque):
        structure = Opaque(model.structure.why)
    elif model.feature_map is None:
        structure = Opaque(f"its preprocessing mixes raw columns ({model.mixes})")
    return replace(
        model,
        outputs={space: _after(model.transform, predict) for space, predict in model.outputs.items()},
        structure=structure,
        feature_names=model.raw_names,
        n_features=model.n_raw,
        preprocessing=None,
        feature_map=None,
    )


def raw_players(model: FittedModel) -> tuple[npt.NDArray[np.intp] | None, int | None]:
    """Return the raw column of each engineered one and the number of raw columns; (None, None) without a feature map."""
    if model.feature_map is None:
        return None, None
    return model.feature_map.parent, len(model.feature_map.raw_names)


def _after(transform: Any, predict: Predict) -> Predict:
    def predict_raw(table: Any) -> Matrix:
        return predict(transform(table))

    return predict_raw
