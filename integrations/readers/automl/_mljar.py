"""Reader of mljar-supervised's AutoML: an ensemble is the weighted mean of models, a model the mean over its folds."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.explainers._errors import NotFittedError
from automl_explain.explainers._quiet import ignored
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Opaque
from automl_explain.integrations.readers.automl._members import Reading, two_columns

ARRAYS = ("xgboost.Booster", "lightgbm.Booster")
"""Models that mljar trains on arrays, without names."""


def describe(automl: Any, examples: Any = None) -> FittedModel:
    """Describe the model that ``automl.predict`` uses, over the columns with which it was fitted."""
    if automl._best_model is None:
        automl.load(automl.results_path)
    best = automl._best_model
    if best is None:
        raise NotFittedError("The AutoML object has no model: call its fit method.")
    is_regression = automl._ml_task == "regression"
    names = automl._data_info["columns"]
    frame = Reading.of(names, None, examples).examples
    classes = None if is_regression else _classes(automl, frame)
    reading = Reading.of(names, classes, examples)

    def told(table: pd.DataFrame) -> Any:
        with ignored():
            return automl.predict(table) if is_regression else automl.predict_proba(table)

    if reading.examples is None or best._is_stacked:
        why = "it reads what other models predict" if best._is_stacked else "it can be read only with rows of its table"
        return reading.described(told, Opaque(why), best.get_name())
    return reading.final(_model(reading, best), told, best.get_name())


def _classes(automl: Any, examples: pd.DataFrame | None) -> tuple[Any, ...]:
    """Return the labels in the order of the probabilities: those of `predict`, as far as the rows have them."""
    model = automl._best_model
    framework = model.selected_models[0]["model"] if hasattr(model, "selected_models") else model
    columns = framework.preprocessings[0].prepare_target_labels(
        np.zeros(2) if automl._ml_task == "binary_classification" else np.zeros((1, automl._data_info["n_classes"]))
    )
    texts = [name.removeprefix("prediction_") for name in columns.columns if name.startswith("prediction_")]
    if not automl._data_info.get("target_is_numeric", False) and texts != ["0", "1"]:
        return tuple(texts)
    return tuple(int(text) if float(text).is_integer() else float(text) for text in texts)


def _model(reading: Reading, model: Any) -> FittedModel:
    """Describe an ensemble or the model of one learner."""
    name = model.get_name()
    if hasattr(model, "selected_models"):
        chosen = model.selected_models
        members = [_model(reading, one["model"]) for one in chosen]
        return reading.mean(members, [float(one["repeat"]) for one in chosen], partial(_told, model), name)
    folds = [
        _fold(reading, learner, preprocessing, f"{name} fold {number}" if len(model.learners) > 1 else name)
        for number, (learner, preprocessing) in enumerate(zip(model.learners, model.preprocessings, strict=True))
    ]
    return reading.mean(folds, [1.0] * len(folds), partial(_told, model), name)


def _told(model: Any, frame: pd.DataFrame) -> Any:
    with ignored():
        found = model.predict(frame)
    return found[[column for column in found.columns if column != "label"]].to_numpy()


def _fold(reading: Reading, learner: Any, preprocessing: Any, name: str) -> FittedModel:
    """Describe the model of one fold."""
    learner.reload()
    model = _as_used(learner.model)
    is_array = f"{type(model).__module__.partition('.')[0]}.{type(model).__name__}" in ARRAYS

    def prepare(frame: pd.DataFrame) -> Any:
        with ignored():
            made = preprocessing.transform(frame.reset_index(drop=True), None)[0]
        return made.to_numpy(dtype=np.float64) if is_array else made

    def told(frame: pd.DataFrame) -> Any:
        with ignored():
            made = preprocessing.transform(frame.reset_index(drop=True), None)[0]
            found = preprocessing.inverse_scale_target(learner.predict(made))
        return two_columns(found) if reading.classes is not None and len(reading.classes) == 2 else found

    mixing = {"golden features": preprocessing._golden_features, "k-means features": preprocessing._kmeans}
    for what, used in mixing.items():
        if used is not None:
            return reading.described(told, Opaque(f"{name} has {what}, which mix columns"), name)
    return reading.member(model, prepare, told, name)


def _as_used(model: Any) -> Any:
    """Return a booster of XGBoost with the rounds that mljar predicts with: up to the best one."""
    if f"{type(model).__module__.partition('.')[0]}.{type(model).__name__}" != "xgboost.Booster":
        return model
    best = model.attr("best_iteration")
    return model if best is None else model[: int(best) + 1]
