"""Reader of scikit-learn pipelines and searches: the last step is the model, the earlier steps are the preprocessing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sklearn.pipeline import Pipeline

from automl_explain.explainers._errors import NotFittedError
from automl_explain.explainers.model._column_transformers import ColumnList
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._model_call import model_call
from automl_explain.explainers.model._registry import NetworkOptions, takes_examples
from automl_explain.explainers.model._registry import describe as describe_any
from automl_explain.explainers.tables._column_functions import Chained
from automl_explain.integrations.readers._checks import require_fitted
from automl_explain.integrations.readers.sklearn._column_functions import Transformers
from automl_explain.integrations.readers.sklearn._estimators import few_rows, names_of
from automl_explain.integrations.readers.sklearn._transformers import trace_steps


def describe(pipeline: Any, examples: Any = None, network: NetworkOptions | None = None) -> FittedModel:
    """Describe a fitted Pipeline by its last step, with the map back to the columns before the preprocessing."""
    steps = [step for _, step in pipeline.steps]
    while type(steps[-1]) is Pipeline:
        steps[-1:] = [step for _, step in steps[-1].steps]
    model = steps[-1]
    transformers = [_seen_through(step) for step in steps[:-1] if step not in (None, "passthrough")]
    for transformer in transformers:
        require_fitted(transformer)
    if transformers and examples is not None:
        examples = _prepared(transformers, examples, type(model).__name__) if takes_examples(model) else None
    last = describe_any(model, examples, network)
    return _after(transformers, last) if transformers else last


def _prepared(transformers: list[Any], examples: Any, name: str) -> Any:
    """Return a few example rows, preprocessed for the last step."""
    what = "initialization_examples"
    table = few_rows(transformers[0], examples)
    with model_call(f"Pipeline of {name}", what):
        for transformer in transformers:
            table = transformer.transform(table)
    return table


def _seen_through(step: Any) -> Any:
    """Return a sklearn-pandas DataFrameMapper as a list of columns and transformers; any other step unchanged."""
    if type(step).__name__ == "DataFrameMapper":
        return ColumnList([(columns, transformer) for columns, transformer, *_ in step.built_features])
    return step


def _after(transformers: list[Any], last: FittedModel) -> FittedModel:
    """Describe a model with the preprocessing before it."""
    inputs = names_of(transformers[0])
    transform = Transformers(tuple(transformers))
    n_inputs, raw_names = inputs["n_features"], inputs["feature_names"]
    parents = (
        "the number of columns that its preprocessing takes is not known"
        if n_inputs is None
        else trace_steps(transformers, n_inputs)
    )
    if last.preprocessing is not None and not isinstance(parents, str):
        parents = last.mixes if last.feature_map is None else parents[last.feature_map.parent]
    made = _names_out(transformers) if last.preprocessing is None else None
    names = raw_names or tuple(f"x{j}" for j in range(n_inputs or 0))
    return replace(
        last,
        preprocessing=transform if last.preprocessing is None else Chained(transform, last.preprocessing),
        raw_names=raw_names,
        n_raw=n_inputs,
        feature_names=last.feature_names or made,
        feature_map=None if isinstance(parents, str) else FeatureMap(names, parents),
        mixes=parents if isinstance(parents, str) else "",
        name=f"Pipeline of {last.name}",
    )


def describe_search(search: Any, examples: Any = None, network: NetworkOptions | None = None) -> FittedModel:
    """Describe a fitted search by its refitted best estimator."""
    require_fitted(search)
    if not hasattr(search, "best_estimator_"):
        raise NotFittedError(
            f"{type(search).__name__} has no best_estimator_: fit it with refit=True, or pass the model to explain."
        )
    return describe_any(search.best_estimator_, examples, network)


def _names_out(transformers: list[Any]) -> tuple[str, ...] | None:
    """Return the names of the engineered columns, or None if a step cannot name its outputs."""
    names: Any = None
    for transformer in transformers:
        if not hasattr(transformer, "get_feature_names_out"):
            return None
        try:
            names = transformer.get_feature_names_out(names)
        except (ValueError, AttributeError):  # a nested transformer that cannot name its outputs
            return None
    return None if names is None else tuple(map(str, names))
