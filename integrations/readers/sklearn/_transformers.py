"""Trace each output column of a fitted scikit-learn transformer to its input column.

Column names are not parsed: the maps come from the fitted attributes of the transformers, so that categories with any
characters, and dropped or merged categories, are traced correctly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.model._column_transformers import positions_of
from automl_explain.explainers.model._registry import package_of

Parents = npt.NDArray[np.intp]
"""For each output column of a transformer, the position of the input column that it comes from."""


class MixesColumnsError(Exception):
    """Raised inside this module for a step whose output columns may depend on several input columns."""


def trace_steps(steps: Sequence[Any], n_inputs: int) -> Parents | str:
    """Return the map through several fitted transformers, or a message about the step that mixes columns.

    Parameters
    ----------
    steps : sequence of fitted transformers
    n_inputs : int
        Number of columns of the first step's input.
    """
    try:
        return _through(steps, n_inputs)
    except MixesColumnsError as error:
        return str(error)


def trace(transformer: Any, n_inputs: int) -> Parents:
    """Return the map of one fitted transformer.

    Raises
    ------
    MixesColumnsError
        If an output column may depend on several inputs, or the transformer is not known.
    """
    if transformer in (None, "passthrough"):
        return np.arange(n_inputs)
    if package_of(transformer, ("transform",)) in (
        "sklearn",
        "automl_explain",
    ):  # a subclass of another package may do anything
        for cls in type(transformer).__mro__:
            rule = TRACES.get(cls.__name__)
            if rule is not None and cls.__module__.partition(".")[0] in ("sklearn", "automl_explain"):
                return rule(transformer, n_inputs)
    if n_inputs == 1 and hasattr(transformer, "transform"):
        return _all_of_one(transformer)
    raise MixesColumnsError(f"{type(transformer).__name__} may mix columns")


def _through(steps: Sequence[Any], n_inputs: int) -> Parents:
    parents: Parents = np.arange(n_inputs)
    for step in steps:
        parents = parents[trace(step, len(parents))]
    return parents


def _all_of_one(transformer: Any) -> Parents:
    """Every output of a transformer of a single column comes from that column."""
    width = getattr(transformer, "n_features_out_", None) or getattr(transformer, "n_components", None)
    if hasattr(transformer, "get_feature_names_out"):
        width = len(transformer.get_feature_names_out())
    if not isinstance(width, int):
        raise MixesColumnsError(f"the number of columns that {type(transformer).__name__} makes is not known")
    return np.zeros(width, dtype=np.intp)


def _one_to_one(transformer: Any, n_inputs: int) -> Parents:
    return np.arange(n_inputs)


def _mixes(transformer: Any, n_inputs: int) -> Parents:
    if n_inputs == 1:
        return _all_of_one(transformer)
    raise MixesColumnsError(f"{type(transformer).__name__} mixes columns")


def _function(transformer: Any, n_inputs: int) -> Parents:
    if transformer.func is None:  # the identity; any other function may mix columns, if there are several
        return np.arange(n_inputs)
    if n_inputs == 1:
        return _all_of_one(transformer)
    raise MixesColumnsError(
        f"FunctionTransformer({getattr(transformer.func, '__name__', 'a function')}) may mix columns"
    )


def _vectorizer(transformer: Any, n_inputs: int) -> Parents:
    words = getattr(transformer, "vocabulary_", None)
    return np.zeros(transformer.n_features if words is None else len(words), dtype=np.intp)


def _imputer(transformer: Any, n_inputs: int) -> Parents:
    statistics = np.asarray(transformer.statistics_, dtype=object)
    empty = np.array([isinstance(value, float) and np.isnan(value) for value in statistics], dtype=bool)
    kept = np.arange(n_inputs) if transformer.keep_empty_features else np.flatnonzero(~empty)
    return kept if transformer.indicator_ is None else np.concatenate([kept, transformer.indicator_.features_])


def _indicator(transformer: Any, n_inputs: int) -> Parents:
    return np.asarray(transformer.features_, dtype=np.intp)


def _one_hot(transformer: Any, n_inputs: int) -> Parents:
    return np.repeat(np.arange(n_inputs), transformer._n_features_outs)


def _bins(transformer: Any, n_inputs: int) -> Parents:
    if transformer.encode == "ordinal":
        return np.arange(n_inputs)
    return np.repeat(np.arange(n_inputs), transformer.n_bins_)


def _splines(transformer: Any, n_inputs: int) -> Parents:
    return np.repeat(np.arange(n_inputs), transformer.n_features_out_ // n_inputs)


def _targets(transformer: Any, n_inputs: int) -> Parents:
    n_classes = len(transformer.classes_) if transformer.target_type_ == "multiclass" else 1
    return np.repeat(np.arange(n_inputs), n_classes)


def _powers(transformer: Any, n_inputs: int) -> Parents:
    used = transformer.powers_ > 0
    if (used.sum(axis=1) != 1).any():
        raise MixesColumnsError("PolynomialFeatures multiplies columns, or adds a constant")
    return np.asarray(np.argmax(used, axis=1))


def _selector(transformer: Any, n_inputs: int) -> Parents:
    return np.flatnonzero(transformer.get_support())


def _pipeline(transformer: Any, n_inputs: int) -> Parents:
    return _through([step for _, step in transformer.steps], n_inputs)


def _union(transformer: Any, n_inputs: int) -> Parents:
    parts = [trace(step, n_inputs) for _, step in transformer.transformer_list if step != "drop"]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.intp)


def _column_transformer(transformer: Any, n_inputs: int) -> Parents:
    names = getattr(transformer, "feature_names_in_", ())
    positions = {name: position for position, name in enumerate(names)}
    width = max((part.stop for part in transformer.output_indices_.values()), default=0)
    parents = np.full(width, -1, dtype=np.intp)
    for name, fitted, columns in transformer.transformers_:
        part = transformer.output_indices_[name]
        if (isinstance(fitted, str) and fitted == "drop") or part.stop == part.start:
            continue
        chosen = positions_of(columns, positions, n_inputs)
        if len(chosen) == 1:  # whatever the step does, and whether or not it names its columns
            parents[part] = chosen[0]
            continue
        try:
            inner = trace(fitted, len(chosen))
        except MixesColumnsError as error:
            raise MixesColumnsError(f"in step {name!r}, {error}") from None
        if len(inner) != part.stop - part.start:
            raise MixesColumnsError(
                f"step {name!r} makes {part.stop - part.start} columns, but {len(inner)} were traced"
            )
        parents[part] = chosen[inner]
    return parents


def _column_list(transformer: Any, n_inputs: int) -> Parents:
    return np.concatenate([chosen[_through(steps, len(chosen))] for chosen, steps in transformer.parts()])


TRACES: dict[str, Callable[[Any, int], Parents]] = {
    "Normalizer": _mixes,  # scales whole rows, although scikit-learn declares it one to one
    "TfidfTransformer": _mixes,
    "TargetEncoder": _targets,
    "FunctionTransformer": _function,
    "OneToOneFeatureMixin": _one_to_one,
    "SimpleImputer": _imputer,
    "KNNImputer": _mixes,
    "IterativeImputer": _mixes,
    "MissingIndicator": _indicator,
    "OneHotEncoder": _one_hot,
    "KBinsDiscretizer": _bins,
    "SplineTransformer": _splines,
    "PolynomialFeatures": _powers,
    "SelectorMixin": _selector,
    "CountVectorizer": _vectorizer,
    "HashingVectorizer": _vectorizer,
    "Pipeline": _pipeline,
    "FeatureUnion": _union,
    "ColumnTransformer": _column_transformer,
    "ColumnList": _column_list,
}
"""How each kind of fitted transformer maps output columns to input columns; looked up along the class hierarchy."""
