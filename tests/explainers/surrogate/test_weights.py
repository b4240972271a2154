"""Surrogates trained with weights."""

import numpy as np
import pytest

from automl_explain import (
    DecisionTreeExplainableModel,
    ExplainableModel,
    InvalidInputError,
    LGBMExplainableModel,
    LinearExplainableModel,
    MimicExplainer,
    SGDExplainableModel,
)


@pytest.mark.parametrize(
    ("surrogate", "small"),
    [
        (LinearExplainableModel, {}),
        (SGDExplainableModel, {}),
        (DecisionTreeExplainableModel, {"max_leaf_nodes": 2}),
        (LGBMExplainableModel, {"num_leaves": 2, "n_estimators": 5}),
    ],
)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_surrogate_learns_what_holds_for_the_rows_of_weight(surrogate, small, sign):
    table = np.random.default_rng(0).normal(size=(400, 2))
    weights = np.where(sign * table[:, 1] > 0, 1.0, 1e-6)
    explainer = MimicExplainer(
        lambda rows: np.where(rows[:, 1] > 0, rows[:, 0], -rows[:, 0]), table, surrogate, weights=weights,
        explainable_model_args=small,
    )  # fmt: skip
    rows = np.array([[-1.5, sign], [1.5, sign]])
    low, high = explainer.explain_local(rows).local_importance_values[:, 0]
    assert sign * (high - low) > 0.3


def test_a_surrogate_of_ones_own_that_takes_no_weights_is_refused_with_them():
    class Mean(ExplainableModel):
        def fit(self, X, outputs, categories):
            self.mean = outputs.mean(axis=0)
            return self

        def predict(self, X):
            return np.tile(self.mean, (len(X), 1))

    table = np.random.default_rng(0).normal(size=(40, 2))
    MimicExplainer(lambda rows: rows[:, 0], table, Mean)
    with pytest.raises(InvalidInputError, match="Mean.fit has no parameter 'sample_weight'"):
        MimicExplainer(lambda rows: rows[:, 0], table, Mean, weights=np.ones(40))


@pytest.mark.parametrize(
    "surrogate", [LinearExplainableModel, SGDExplainableModel, DecisionTreeExplainableModel, LGBMExplainableModel]
)
@pytest.mark.parametrize("row", range(10))
def test_a_surrogate_learns_from_the_one_row_of_weight_wherever_it_stands(surrogate, row):
    table = np.random.default_rng(0).normal(size=(10, 2))
    explainer = MimicExplainer(lambda rows: rows[:, 0], table, surrogate, weights=np.arange(10) == row)
    learnt = explainer.explain_local(table[row]).predictions
    assert np.isfinite(learnt).all()
    if surrogate is not SGDExplainableModel:  # which stops before it has learnt one row by heart
        np.testing.assert_allclose(learnt, table[row, :1][None], atol=1e-6)
