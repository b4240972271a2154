"""How automl-explain reads a scorecard: pyproject.toml names this entry point."""

import numpy as np

from automl_explain import FittedModel, Linear


def describe_scorecard(model):
    """Return the description of a scorecard: a linear model with one output."""
    columns = tuple(model.points)
    points = np.array([list(model.points.values())])
    return FittedModel(
        outputs={"response": lambda table: model.predict(table)[:, None]},
        output_space="response",
        task="regression",
        structure=Linear(coef=points, intercept=np.array([model.start])),
        feature_names=columns,
        n_features=len(columns),
        encode=lambda table: np.asarray(table[list(columns)], dtype=float),
        name="Scorecard",
    )
