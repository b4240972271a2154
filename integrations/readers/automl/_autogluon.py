"""Reader of AutoGluon's TabularPredictor: weighted ensembles and bags as the weighted means that they are.

A weighted ensemble is the weighted mean of models, a bag the mean of the models of its folds. A stacker of a second layer
reads what the models of the first predict, and is explained from its predictions, as everything whose model cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from automl_explain.explainers._errors import NotFittedError, UnsupportedTaskError
from automl_explain.explainers._quiet import ignored
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Opaque
from automl_explain.integrations.readers.automl._members import Reading, two_columns

PROBLEMS = ("binary", "multiclass", "regression")
WEIGHTED, BAG = "WeightedEnsembleModel", "BaggedEnsembleModel"


@dataclass(eq=False)
class _Features:
    """AutoGluon's features of the user's columns; those of the last table are kept, as every member reads them."""

    predictor: Any
    last: list[Any] = field(default_factory=list)

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        if not self.last or self.last[0] is not frame:
            with ignored():
                self.last = [frame, self.predictor._learner.transform_features(frame)]
        made: pd.DataFrame = self.last[1]
        return made


def describe(predictor: Any, examples: Any = None) -> FittedModel:
    """Describe the model that ``predictor.predict`` uses, over the columns with which the predictor was fitted."""
    if not getattr(predictor, "is_fit", True):
        raise NotFittedError("The TabularPredictor is not fitted: call its fit method.")
    if predictor.problem_type not in PROBLEMS:
        raise UnsupportedTaskError(f"Cannot explain a TabularPredictor for {predictor.problem_type}: only {PROBLEMS}.")
    classes = None if predictor.problem_type == "regression" else predictor.class_labels
    reading = Reading.of(predictor.features(feature_stage="original"), classes, examples)
    name, trainer = predictor.model_best, predictor._trainer

    def told(frame: pd.DataFrame) -> Any:
        if classes is None:
            return predictor.predict(frame, as_pandas=False)
        return predictor.predict_proba(frame, as_pandas=False, as_multiclass=True)

    if reading.examples is None:
        return reading.described(told, Opaque("its members can be read only with rows of its table"), name)
    return reading.final(_Reader(reading, trainer, _Features(predictor)).node(name), told, name)


@dataclass(frozen=True, eq=False)
class _Reader:
    """Reads the models of a trainer by name."""

    reading: Reading
    trainer: Any
    features: _Features

    def node(self, name: str) -> FittedModel:
        """Describe a model of the trainer."""
        model = self.trainer.load_model(name)
        kinds = {cls.__name__ for cls in type(model).__mro__}
        told = self._told(lambda table: self.trainer.predict_proba(table, model=name))
        if WEIGHTED in kinds:
            weights = model._get_model_weights()
            return self.reading.mean([self.node(one) for one in weights], list(weights.values()), told, name)
        if getattr(model, "base_model_names", ()):
            return self.reading.described(told, Opaque(f"{name} reads what other models predict"), name)
        if BAG in kinds:
            children = [model.load_child(child) for child in model.models]
            members = [self._base(child) for child in children]
            return self.reading.mean(members, [1.0] * len(members), told, name)
        return self._base(model)

    def _base(self, model: Any) -> FittedModel:
        """Describe a model that is no ensemble of the trainer."""
        told = self._told(model.predict_proba)
        return self.reading.member(
            model.model, lambda frame: model.preprocess(self.features(frame)), told, str(model.name)
        )

    def _told(self, predict: Callable[[pd.DataFrame], Any]) -> Callable[[pd.DataFrame], Any]:
        """Return what a model of the trainer predicts of the user's columns."""
        binary = self.reading.classes is not None and len(self.reading.classes) == 2

        def told(frame: pd.DataFrame) -> Any:
            with ignored():
                found = predict(self.features(frame))
            return two_columns(found) if binary else found

        return told
