"""How scikit-learn pipelines and searches are read: the last step is the model, the steps before it the preprocessing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import NotFittedError
from automl_explain.explainers._feature_map import FeatureMap
from automl_explain.explainers._model import FittedModel
from automl_explain.explainers._registry import describe as describe_any
from automl_explain.integrations._sklearn import check_fitted, names_of

Parents = npt.NDArray[np.intp]
"""For each output column of a transformer, the position of the one input column it comes of."""


def describe(pipeline: Any) -> FittedModel:
    """Describe a fitted Pipeline by its last step, keeping the way back to the columns before it."""
    check_fitted(pipeline)
    last = describe_any(pipeline.steps[-1][1])
    transformers = [step for _, step in pipeline.steps[:-1] if step not in (None, "passthrough")]
    if not transformers:
        return last
    inputs = names_of(transformers[0])
    n_inputs = inputs["n_features"]

    def transform(table: Any) -> Any:
        for transformer in transformers:
            table = transformer.transform(table)
        return table

    raw_names = inputs["feature_names"]
    parents = None if n_inputs is None else _trace_steps(transformers, n_inputs)
    names = raw_names or tuple(f"x{j}" for j in range(n_inputs or 0))
    return replace(
        last,
        preprocessing=transform if last.preprocessing is None else _chain(transform, last.transform),
        raw_names=raw_names,
        n_raw=n_inputs,
        feature_names=last.feature_names or _names_out(transformers, n_inputs),
        feature_map=FeatureMap(names, parents) if parents is not None and last.preprocessing is None else None,
        name=f"Pipeline of {last.name}",
    )


def describe_search(search: Any) -> FittedModel:
    """Describe a fitted search by the best estimator it refitted."""
    check_fitted(search)
    if not hasattr(search, "best_estimator_"):
        raise NotFittedError(
            f"{type(search).__name__} has no best_estimator_: fit it with refit=True, or explain a model of your choice."
        )
    return describe_any(search.best_estimator_)


def _chain(first: Callable[[Any], Any], second: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda table: second(first(table))


def _names_out(transformers: list[Any], n_inputs: int | None) -> tuple[str, ...] | None:
    """Names of the engineered columns, where every step can say them."""
    names: Any = None
    for transformer in transformers:
        if not hasattr(transformer, "get_feature_names_out"):
            return None
        try:
            names = transformer.get_feature_names_out(names)
        except (ValueError, AttributeError):  # a nested transformer that cannot name its outputs
            return None
    return None if names is None else tuple(map(str, names))


def trace(transformer: Any, n_inputs: int) -> Parents | None:
    """Return the input column that each output column of a fitted transformer comes of.

    None means that an output column may depend on several inputs, or that nothing is known of the transformer.
    """
    if transformer in (None, "passthrough"):
        return np.arange(n_inputs)
    for cls in type(transformer).__mro__:
        rule = TRACES.get(cls.__name__) if cls.__module__.startswith("sklearn.") else None
        if rule is not None:
            return rule(transformer, n_inputs)
    return None


def _trace_steps(transformers: list[Any], n_inputs: int) -> Parents | None:
    parents: Parents | None = np.arange(n_inputs)
    for transformer in transformers:
        step = trace(transformer, len(parents)) if parents is not None else None
        parents = None if step is None or parents is None else parents[step]
    return parents


def _one_to_one(transformer: Any, n_inputs: int) -> Parents:
    return np.arange(n_inputs)


def _mixes(transformer: Any, n_inputs: int) -> None:
    return None


def _function(transformer: Any, n_inputs: int) -> Parents | None:
    return np.arange(n_inputs) if transformer.func is None else None  # None is the identity; others are not known


def _imputer(transformer: Any, n_inputs: int) -> Parents | None:
    if transformer.indicator_ is not None:
        return None
    statistics = np.asarray(transformer.statistics_, dtype=object)
    dropped = np.array([isinstance(value, float) and np.isnan(value) for value in statistics])
    return np.flatnonzero(~dropped) if not transformer.keep_empty_features else np.arange(n_inputs)


def _one_hot(transformer: Any, n_inputs: int) -> Parents:
    return np.repeat(np.arange(n_inputs), transformer._n_features_outs)


def _selector(transformer: Any, n_inputs: int) -> Parents:
    return np.flatnonzero(transformer.get_support())


def _pipeline(transformer: Any, n_inputs: int) -> Parents | None:
    return _trace_steps([step for _, step in transformer.steps if step not in (None, "passthrough")], n_inputs)


def _column_transformer(transformer: Any, n_inputs: int) -> Parents | None:
    positions = (
        {}
        if not hasattr(transformer, "feature_names_in_")
        else {name: position for position, name in enumerate(transformer.feature_names_in_)}
    )
    width = max((part.stop for part in transformer.output_indices_.values()), default=0)
    parents = np.full(width, -1, dtype=np.intp)
    for name, fitted, columns in transformer.transformers_:
        part = transformer.output_indices_[name]
        if fitted == "drop" or part.stop == part.start:
            continue
        chosen = _positions(columns, positions, n_inputs)
        inner = trace(fitted, len(chosen))
        if inner is None or len(inner) != part.stop - part.start:
            return None
        parents[part] = chosen[inner]
    return None if (parents < 0).any() else parents


def _positions(columns: Any, by_name: dict[str, int], n_inputs: int) -> Parents:
    if isinstance(columns, str):
        columns = [columns]
    if isinstance(columns, slice):
        return np.arange(n_inputs)[columns]
    listed = np.atleast_1d(np.asarray(columns, dtype=object))
    if listed.size and isinstance(listed[0], str):
        return np.array([by_name[name] for name in listed], dtype=np.intp)
    if listed.dtype == bool or (listed.size and isinstance(listed[0], bool | np.bool_)):
        return np.flatnonzero(listed.astype(bool))
    return np.asarray(listed, dtype=np.intp)


TRACES: dict[str, Callable[[Any, int], Parents | None]] = {
    "Normalizer": _mixes,  # scales whole rows, though scikit-learn counts it as one to one
    "TfidfTransformer": _mixes,
    "FunctionTransformer": _function,
    "OneToOneFeatureMixin": _one_to_one,
    "SimpleImputer": _imputer,
    "OneHotEncoder": _one_hot,
    "SelectorMixin": _selector,
    "Pipeline": _pipeline,
    "ColumnTransformer": _column_transformer,
}
"""How each kind of fitted transformer maps output columns to input columns; looked up along the class hierarchy."""
