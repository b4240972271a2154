"""Image explanations as pandas and shap objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.image._values import ImageValues

if TYPE_CHECKING:
    import shap


def as_frame(explanation: ImageValues) -> pd.DataFrame:
    """Return what `ImageExplanation.to_frame` documents."""
    rows, columns = np.indices(explanation.segments.shape[1:])
    parts = []
    for image, n_segments in enumerate(explanation.n_segments.tolist()):
        segments = explanation.segments[image].reshape(-1)
        n_pixels = np.bincount(segments)
        about = {
            "n_pixels": n_pixels,
            "row": np.bincount(segments, rows.reshape(-1)) / n_pixels,
            "column": np.bincount(segments, columns.reshape(-1)) / n_pixels,
        }
        for output in range(explanation.n_outputs):
            part: dict[str, object] = {"image": image}
            if explanation.classes is not None:
                part["class"] = explanation.classes[explanation.class_numbers[output, image]]
            part["segment"] = np.arange(n_segments)
            part["value"] = explanation.local_importance_values[output, image, :n_segments]
            if explanation.standard_errors is not None:
                part["standard_error"] = explanation.standard_errors[output, image, :n_segments]
            parts.append(pd.DataFrame({**part, **about}))
    return pd.concat(parts, ignore_index=True)


def as_shap(explanation: ImageValues) -> shap.Explanation:
    """Return what `ImageExplanation.to_shap` documents."""
    if not explanation.is_additive:
        raise InvalidInputError("A heat map holds no Shapley values, so that it has no form of shap.")
    import shap

    pixels = np.moveaxis(explanation.to_pixels()[..., None], 0, -1)
    base, classes = explanation.base_values.T, explanation.classes
    names = None if classes is None else [str(label) for label in explanation.labels]
    if classes is not None and not explanation.same_classes:
        names = [[str(label) for label in labels] for labels in explanation.labels]  # type: ignore[misc]
    return shap.Explanation(
        values=pixels[..., 0] if classes is None else pixels,
        base_values=base[:, 0] if classes is None else base,
        data=explanation.images,
        output_names=names,
    )
