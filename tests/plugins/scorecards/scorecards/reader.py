"""How automl-explain reads a scorecard: named as an entry point in pyproject.toml, so that nobody has to register it."""

import numpy as np

from automl_explain import FittedModel, Linear


def describe_scorecard(model):
    """Return the description of a scorecard: a linear model with one output."""
    columns = tuple(model.points)
    return FittedModel(
        outputs={"response": lambda table: model.predict(table)[:, None]},
        output_space="response",
        task="regression",
        structure=Linear(coef=np.array([list(model.points.values())]), intercept=np.array([model.start])),
        feature_names=columns,
        n_features=len(columns),
        encode=lambda table: np.asarray(table[list(columns)], dtype=float),
        name="Scorecard",
    )
