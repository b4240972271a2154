"""Reader of Spark ML's fitted pipelines: one stage is the model, those before it are the preprocessing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import describe as describe_any
from automl_explain.integrations.readers.spark._stages import StageReader, Stages


def describe(pipeline: Any) -> FittedModel:
    """Describe a PipelineModel, with the map back to the columns of the frame before its stages."""
    stages = _flat(pipeline)
    model = next((stage for stage in reversed(stages) if _predicts(stage)), None)
    if model is None:
        raise UnsupportedModelError("No stage of this PipelineModel of Spark ML predicts anything.")
    described, reader = describe_any(model), StageReader()
    for stage in stages[: stages.index(model)]:
        reader.read(stage)
    described = replace(described, classes=_classes(described, model, reader, stages[stages.index(model) + 1 :]))
    column = model.getFeaturesCol()
    if not reader.knows(column):
        return described
    vector = tuple(reader.vector(column))
    names = tuple(dict.fromkeys(cells.source for cells in vector))
    parents = np.array([names.index(cells.source) for cells in vector], np.intp)
    return replace(
        described,
        preprocessing=Stages(names, vector),
        raw_names=names,
        n_raw=len(names),
        feature_names=tuple(_name(vector, j) for j in range(len(vector))),
        feature_map=FeatureMap(names, parents),
        name=f"Pipeline of {described.name}",
    )


def describe_best(search: Any) -> FittedModel:
    """Describe a CrossValidatorModel or TrainValidationSplitModel by its best model."""
    return describe_any(search.bestModel)


def _flat(pipeline: Any) -> list[Any]:
    """Return the stages of a pipeline and of those inside it."""
    return [
        inner
        for stage in pipeline.stages
        for inner in (_flat(stage) if type(stage).__name__ == "PipelineModel" else [stage])
    ]


def _predicts(stage: Any) -> bool:
    return hasattr(stage, "getPredictionCol") and hasattr(stage, "getFeaturesCol")


def _classes(described: FittedModel, model: Any, reader: StageReader, after: list[Any]) -> tuple[Any, ...] | None:
    """Return the labels of classes: those of the StringIndexer that made the label, or of an IndexToString after the model."""
    if described.classes is None:
        return None
    labels: tuple[str, ...] = reader.labels.get(model.getLabelCol(), ())
    for stage in after:
        if type(stage).__name__ == "IndexToString" and stage.getInputCol() == model.getPredictionCol():
            labels = tuple(stage.getLabels() if stage.isSet("labels") else labels)
    return labels if len(labels) == len(described.classes) else described.classes


def _name(vector: tuple[Any, ...], j: int) -> str:
    """Return a name for a number of the vector: its raw column, with the label that it stands for."""
    cells = vector[j]
    last = cells.steps[-1] if cells.steps else None
    if cells.labels is None or last is None or last[0] != "equals":
        return str(cells.source)
    place = int(last[1])
    known = cells.labels.labels
    return f"{cells.source}={known[place] if place < len(known) else 'other'}"
