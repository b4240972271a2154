"""Reader of TPOT's estimators: the fitted pipeline, with the labels that TPOT was given.

TPOT's pipelines have steps of its own. If these are all that stands between the last step and the user's columns, it is
found from rows which column each prepared column is made of.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from automl_explain.explainers._errors import NotFittedError
from automl_explain.explainers.model._feature_space import over_raw
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import describe as describe_any
from automl_explain.explainers.model._structures import Opaque
from automl_explain.integrations.readers.automl._members import Reading


def describe(tpot: Any, examples: Any = None) -> FittedModel:
    """Describe the pipeline that TPOT has chosen, over the columns with which TPOT was fitted."""
    pipeline = getattr(tpot, "fitted_pipeline_", None)
    if pipeline is None:
        raise NotFittedError(f"{type(tpot).__name__} has no fitted_pipeline_: call its fit method.")
    found = over_raw(describe_any(pipeline, examples))
    encoder = getattr(tpot, "label_encoder_", None)
    labels = found.classes if encoder is None or found.classes is None else tuple(np.asarray(encoder.classes_).tolist())
    name = f"{type(tpot).__name__} of {found.name}"
    rows = getattr(examples, "data", examples)
    if isinstance(found.structure, Opaque) and isinstance(rows, pd.DataFrame) and isinstance(pipeline, Pipeline):
        reading = Reading.of(list(rows.columns), labels, rows)
        told = pipeline.predict if labels is None else getattr(pipeline, "predict_proba", None)
        if told is not None:
            found = reading.member(pipeline[-1], partial(_prepared, pipeline), told, name)
    return replace(found, classes=labels, name=name, kind="refit")


def _prepared(pipeline: Pipeline, table: Any) -> Any:
    """Return a table as the last step takes it. A part of the pipeline would ask TPOT's steps whether they are fitted."""
    for _, step in pipeline.steps[:-1]:
        table = table if step in (None, "passthrough") else step.transform(table)
    return table
