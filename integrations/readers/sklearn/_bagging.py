"""Reader of scikit-learn's bagging ensembles: trees of the members as one ensemble, other members as a mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from automl_explain.explainers.model._fitted_model import FittedModel, Prepared, Structure
from automl_explain.explainers.model._structures import Linear, Matrix, Opaque, OutputSpace
from automl_explain.explainers.neural._dense_chain import DenseNetwork, dense_network
from automl_explain.integrations.readers._matrix import as_array, to_matrix
from automl_explain.integrations.readers.sklearn._ensembles import member_of, weighted
from automl_explain.integrations.readers.sklearn._estimators import few_rows, names_of
from automl_explain.integrations.readers.sklearn._targets import regressor_of_targets
from automl_explain.integrations.readers.sklearn._trees import describe_bagging as describe_bagged_trees


def describe_bagging(model: Any, examples: Any = None) -> FittedModel:
    """Describe a BaggingClassifier or BaggingRegressor; a bagging of trees is one ensemble of trees."""
    described = describe_bagged_trees(model)
    if not isinstance(described.structure, Opaque):
        return described
    members = [
        _on_columns(member_of(member, _rows_for(model, examples, columns)), columns, model.n_features_in_)
        for member, columns in zip(model.estimators_, model.estimators_features_, strict=True)
    ]
    if members[0].task == "multitarget":
        described = regressor_of_targets(model, members[0].n_outputs, described.structure, names_of(model))
        if any(member.output_space != "response" for member in members):
            return described
    weights = np.full(len(members), 1.0 / len(members))
    space: OutputSpace = "response" if described.task == "multitarget" or described.classes is None else "probability"
    if described.classes is not None and any(member.n_outputs != described.n_outputs for member in members):
        return described  # a member was trained without some class
    if any(space not in member.outputs for member in members):
        return described
    names = [f"member {number}" for number in range(len(members))]
    return replace(described, structure=weighted(members, weights, space, "a mean of bagged members", names))


def _on_columns(member: FittedModel, columns: Any, n_features: int) -> FittedModel:
    """Return a member that reads some of the columns, described over all columns."""
    columns = np.asarray(columns)
    if np.array_equal(columns, np.arange(n_features)) and not isinstance(member.structure, Prepared):
        return replace(
            member, outputs={s: _of_chosen(f, columns) for s, f in member.outputs.items()}, feature_names=None
        )
    structure: Structure = Opaque("a bagged member that is a pipeline, or that reads some of the columns")
    encode: Callable[[Any], Matrix] = member.encode
    if isinstance(member.structure, Linear):
        coef = np.zeros((len(member.structure.coef), n_features))
        np.add.at(coef.T, columns, member.structure.coef.T)  # a column drawn twice counts twice
        structure, encode = Linear(coef, member.structure.intercept), to_matrix
    if isinstance(member.structure, DenseNetwork):
        chain = member.structure.chain.over_columns(columns, n_features)
        structure, encode = dense_network(chain, member.structure.why), to_matrix
    return replace(
        member,
        outputs={s: _of_chosen(f, columns) for s, f in member.outputs.items()},
        structure=structure,
        encode=encode,
        feature_names=None,
        n_features=n_features,
    )


def _of_chosen(predict: Callable[[Any], Matrix], columns: Any) -> Callable[[Any], Matrix]:
    return lambda table: predict(as_array(table)[:, columns])


def _rows_for(model: Any, examples: Any, columns: Any) -> Any:
    """Return a few example rows of the columns that a bagged member reads."""
    return None if examples is None else as_array(few_rows(model, examples))[:, columns]
