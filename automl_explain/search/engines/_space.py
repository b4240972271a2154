"""The space that the optuna engine searches without a custom objective: four learners with a few settings each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from xgboost import XGBClassifier, XGBRegressor

from automl_explain.search.engines._preprocessing import for_linear, for_trees

if TYPE_CHECKING:
    import optuna

    from automl_explain.search._dataset import Dataset
    from automl_explain.search._target import Task

THREADS = -1
"""Threads of a learner on `FEW_ROWS` rows or more: all cores."""
FEW_ROWS = 10_000
"""With fewer rows, one thread is faster. The models do not depend on the number of threads."""


MOST_TREES = 10_000
"""Maximum number of trees of a boosted classifier, which has one for each class and round."""
ROUNDS = "n_estimators"
"""The setting of a boosted learner that is its number of rounds."""
FEWEST_ROUNDS = 5
"""Rounds of boosting that any classifier may have."""


class LabelledXGBClassifier(XGBClassifier):
    """XGBoost's classifier for any labels; XGBoost itself takes only 0, 1, ..."""

    def fit(self, X: Any, y: Any, **settings: Any) -> LabelledXGBClassifier:
        """Train on the labels' codes."""
        self.__dict__.pop("labels_", None)  # during training, the classes are the codes
        labels, codes = np.unique(y, return_inverse=True)
        super().fit(X, codes, **settings)
        self.labels_ = labels
        return self

    def predict(self, X: Any, *, output_margin: bool = False, **settings: Any) -> Any:
        """Return labels, or margins with ``output_margin=True``."""
        predicted = super().predict(X, output_margin=output_margin, **settings)
        return predicted if output_margin else self.labels_[predicted]

    @property
    def classes_(self) -> Any:
        """The labels in the order of the probabilities."""
        return getattr(self, "labels_", super().classes_)


@dataclass(frozen=True)
class Learner:
    """One learner of the space.

    Parameters
    ----------
    classes : mapping
        Task -> class of the model; a task without one does not have the learner.
    pipeline : callable
        Function from the training rows and a model to an unfitted pipeline.
    ranges : mapping
        Setting -> (lowest, highest, whether on a logarithmic scale); whole numbers if both ends are.
    first : mapping
        The settings of the first trial.
    fixed : mapping
        Settings that are not searched.
    is_boosted : bool
        Whether a classifier has `n_estimators` trees for each of more than two classes.
    """

    classes: Mapping[str, Any]
    pipeline: Callable[[Any, Any], Any]
    ranges: Mapping[str, tuple[float, float, bool]]
    first: Mapping[str, float]
    fixed: Mapping[str, Any]
    is_boosted: bool = False

    def shortened(self, data: Dataset) -> Learner:
        """Return the learner with no more rounds of boosting than the number of classes allows."""
        n_classes = data.y_train.nunique() if self.is_boosted and data.kind == "multiclass" else 1
        most = max(FEWEST_ROUNDS, MOST_TREES // n_classes)
        if not self.is_boosted or most >= self.ranges[ROUNDS][1]:
            return self
        low, _, log = self.ranges[ROUNDS]
        return replace(
            self,
            ranges={**self.ranges, ROUNDS: (min(low, most), most, log)},
            first={**self.first, ROUNDS: min(self.first[ROUNDS], most)},
        )


LEARNERS = {
    "lgbm": Learner(
        {"classification": LGBMClassifier, "regression": LGBMRegressor},
        for_trees,
        {
            "n_estimators": (20, 400, True),
            "num_leaves": (4, 128, True),
            "learning_rate": (0.02, 0.3, True),
            "min_child_samples": (2, 128, True),
            "colsample_bytree": (0.5, 1.0, False),
            "reg_lambda": (1e-3, 10.0, True),
        },
        {"n_estimators": 100, "num_leaves": 31, "learning_rate": 0.1, "min_child_samples": 20, "colsample_bytree": 1.0},
        {"n_jobs": THREADS, "verbose": -1, "deterministic": True, "force_col_wise": True},
        is_boosted=True,
    ),
    "xgboost": Learner(
        {"classification": LabelledXGBClassifier, "regression": XGBRegressor},
        for_trees,
        {
            "n_estimators": (20, 400, True),
            "max_depth": (2, 10, False),
            "learning_rate": (0.02, 0.3, True),
            "min_child_weight": (0.01, 64.0, True),
            "colsample_bytree": (0.5, 1.0, False),
            "reg_lambda": (1e-3, 10.0, True),
        },
        {"n_estimators": 100, "max_depth": 6, "learning_rate": 0.1, "min_child_weight": 1.0, "colsample_bytree": 1.0},
        {"n_jobs": THREADS, "verbosity": 0, "tree_method": "hist"},
        is_boosted=True,
    ),
    "rf": Learner(
        {"classification": RandomForestClassifier, "regression": RandomForestRegressor},
        for_trees,
        {"n_estimators": (50, 200, True), "max_features": (0.1, 1.0, False), "min_samples_leaf": (1, 50, True)},
        {"n_estimators": 100, "max_features": 0.4, "min_samples_leaf": 5},
        {"n_jobs": THREADS},
    ),
    "lrl2": Learner(
        {"classification": LogisticRegression},
        for_linear,
        {"C": (1e-3, 1e2, True)},
        {"C": 1.0},
        {"max_iter": 1000},
    ),
    "ridge": Learner({"regression": Ridge}, for_linear, {"alpha": (1e-3, 1e3, True)}, {"alpha": 1.0}, {}),
}
"""Name, which is FLAML's for the learners that FLAML has -> learner."""


def learners_of(task: Task) -> list[str]:
    """Return the names of the learners of a task."""
    return [name for name, learner in LEARNERS.items() if task in learner.classes]


def suggest(trial: optuna.Trial, names: list[str], data: Dataset, seed: int) -> tuple[str, Any]:
    """Return the learner that a trial proposes, and an unfitted model with its settings."""
    name = trial.suggest_categorical("learner", names)
    learner = LEARNERS[name].shortened(data)
    settings: dict[str, float] = {}
    for setting, (low, high, log) in learner.ranges.items():
        if isinstance(low, int) and isinstance(high, int):
            settings[setting] = trial.suggest_int(f"{name}_{setting}", low, high, log=log)
        else:
            settings[setting] = trial.suggest_float(f"{name}_{setting}", low, high, log=log)
    fixed = dict(learner.fixed)
    if "n_jobs" in fixed and len(data.y_train) < FEW_ROWS:
        fixed["n_jobs"] = 1
    model = learner.classes[data.task](**settings, **fixed, random_state=seed)
    return name, learner.pipeline(data.X_train, model)


def first_trials(names: list[str], data: Dataset) -> list[dict[str, Any]]:
    """Return the usual settings of each learner, which are tried first."""
    return [
        {
            "learner": name,
            **{f"{name}_{setting}": value for setting, value in LEARNERS[name].shortened(data).first.items()},
        }
        for name in names
    ]
