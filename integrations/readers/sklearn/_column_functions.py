"""Fitted scikit-learn transformers as functions of single columns, with the numbers that they apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_explain.explainers.model._column_transformers import positions_of
from automl_explain.explainers.model._registry import package_of
from automl_explain.explainers.tables._column_functions import ColumnFunction, Columnwise, NotColumnwiseError
from automl_explain.explainers.tables._moments import DAY, NANOSECONDS

Columns = tuple[ColumnFunction, ...]


@dataclass(frozen=True)
class Transformers(Columnwise):
    """Fitted transformers, applied one after the other.

    Parameters
    ----------
    steps : tuple of transformers
    """

    steps: tuple[Any, ...]

    def __call__(self, table: Any) -> Any:
        """Return the transformed table."""
        for step in self.steps:
            table = step.transform(table)
        return table

    def columns(self, inputs: Columns) -> Columns:
        """Return the output columns as functions of single columns; see `Columnwise`."""
        return _through(self.steps, inputs)


def _through(steps: Sequence[Any], inputs: Columns) -> Columns:
    for step in steps:
        inputs = _applied(step, inputs)
    return inputs


def _applied(step: Any, inputs: Columns) -> Columns:
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return inputs
    if package_of(step, ("transform",)) in ("sklearn", "automl_explain"):
        rule = next((FORMS[cls.__name__] for cls in type(step).__mro__ if cls.__name__ in FORMS), None)
        if rule is not None:
            return rule(step, inputs)
    raise NotColumnwiseError(f"{type(step).__name__} has no form as data")


def _numbers(values: Any, inputs: Columns, default: float) -> list[float]:
    return [default] * len(inputs) if values is None else np.asarray(values, dtype=np.float64).tolist()


def _standard(step: Any, inputs: Columns) -> Columns:
    centre = _numbers(step.mean_ if step.with_mean else None, inputs, 0.0)
    scale = _numbers(step.scale_ if step.with_std else None, inputs, 1.0)
    return tuple(_scaled(c, m, s) for c, m, s in zip(inputs, centre, scale, strict=True))


def _robust(step: Any, inputs: Columns) -> Columns:
    centre = _numbers(step.center_ if step.with_centering else None, inputs, 0.0)
    scale = _numbers(step.scale_ if step.with_scaling else None, inputs, 1.0)
    return tuple(_scaled(c, m, s) for c, m, s in zip(inputs, centre, scale, strict=True))


def _scaled(column: ColumnFunction, centre: float, scale: float) -> ColumnFunction:
    return column.then(("minus", centre), ("over", scale))


def _max_abs(step: Any, inputs: Columns) -> Columns:
    return tuple(column.then(("over", scale)) for column, scale in zip(inputs, step.scale_.tolist(), strict=True))


def _min_max(step: Any, inputs: Columns) -> Columns:
    ends: list[tuple[str, float]] = []
    if step.clip:
        low, high = step.feature_range
        ends = [("at_least", float(low)), ("at_most", float(high))]
    return tuple(
        column.then(("times", scale), ("plus", shift), *ends)
        for column, scale, shift in zip(inputs, step.scale_.tolist(), step.min_.tolist(), strict=True)
    )


def _imputer(step: Any, inputs: Columns) -> Columns:
    if (
        not (isinstance(step.missing_values, float) and np.isnan(step.missing_values))
        and step.missing_values is not None
    ):
        raise NotColumnwiseError(f"SimpleImputer(missing_values={step.missing_values!r}) has no form as data")
    made = []
    for column, value in zip(inputs, np.asarray(step.statistics_, dtype=object).tolist(), strict=True):
        if isinstance(value, float) and np.isnan(value):
            if not step.keep_empty_features:
                continue
            value = 0.0
        # A text fills a column of categories, which are looked up.
        number = float(value) if isinstance(value, int | float | np.number) else np.nan
        made.append(column.then(("fill", number)))
    if step.indicator_ is not None:
        made += _indicator(step.indicator_, inputs)
    return tuple(made)


def _indicator(step: Any, inputs: Columns) -> Columns:
    return tuple(inputs[j].then(("is_missing", 0.0)) for j in step.features_)


def _one_hot(step: Any, inputs: Columns) -> Columns:
    made = []
    rare = getattr(step, "_infrequent_enabled", False)
    for j, column in enumerate(inputs):
        if rare:  # of a column of categories, which are looked up
            made += [column.then(("position", np.nan), known=step.categories_[j].tolist())] * step._n_features_outs[j]
            continue
        dropped = None if step.drop_idx_ is None else step.drop_idx_[j]
        for number, category in enumerate(step.categories_[j].tolist()):
            if number != dropped:
                made.append(column.then(("equals", _as_number(category)), known=step.categories_[j].tolist()))
    return tuple(made)


def _ordinal(step: Any, inputs: Columns) -> Columns:
    made = []
    for column, categories in zip(inputs, step.categories_, strict=True):
        if not column.steps and all(_as_number(c) != _as_number(c) for c in categories.tolist()):
            made.append(column.then(("fill", np.nan), known=categories.tolist()))
        else:
            made.append(column.then(("position", np.nan), known=categories.tolist()))
    return tuple(made)


def _cells(step: Any, inputs: Columns) -> Columns:
    days = (*NANOSECONDS, ("over", DAY))
    return tuple(column.then(*days) if dates else column for column, dates in zip(inputs, step.is_date_, strict=True))


def _as_number(category: Any) -> float:
    return float(category) if isinstance(category, int | float | np.number) else np.nan


def _function(step: Any, inputs: Columns) -> Columns:
    if step.func is not None:
        raise NotColumnwiseError("FunctionTransformer with a function has no form as data")
    return inputs


def _selector(step: Any, inputs: Columns) -> Columns:
    return tuple(inputs[j] for j in np.flatnonzero(step.get_support()).tolist())


def _pipeline(step: Any, inputs: Columns) -> Columns:
    return _through([part for _, part in step.steps], inputs)


def _union(step: Any, inputs: Columns) -> Columns:
    if step.transformer_weights:
        raise NotColumnwiseError("FeatureUnion with weights has no form as data")
    parts = [_applied(part, inputs) for _, part in step.transformer_list if part != "drop"]
    return tuple(column for part in parts for column in part)


def _column_transformer(step: Any, inputs: Columns) -> Columns:
    if step.transformer_weights:
        raise NotColumnwiseError("ColumnTransformer with weights has no form as data")
    names = getattr(step, "feature_names_in_", ())
    positions = {name: position for position, name in enumerate(names)}
    width = max((part.stop for part in step.output_indices_.values()), default=0)
    made: dict[int, ColumnFunction] = {}
    for name, fitted, columns in step.transformers_:
        part = step.output_indices_[name]
        if (isinstance(fitted, str) and fitted == "drop") or part.stop == part.start:
            continue
        chosen = positions_of(columns, positions, len(inputs))
        inner = _applied(fitted, tuple(inputs[j] for j in chosen.tolist()))
        if len(inner) != part.stop - part.start:
            raise NotColumnwiseError(f"step {name!r} makes {part.stop - part.start} columns, not {len(inner)}")
        made |= dict(zip(range(part.start, part.stop), inner, strict=True))
    return tuple(made[to] for to in range(width))


def _column_list(step: Any, inputs: Columns) -> Columns:
    parts = [_through(steps, tuple(inputs[j] for j in chosen.tolist())) for chosen, steps in step.parts()]
    return tuple(column for part in parts for column in part)


FORMS: dict[str, Callable[[Any, Columns], Columns]] = {
    "StandardScaler": _standard,
    "RobustScaler": _robust,
    "MaxAbsScaler": _max_abs,
    "MinMaxScaler": _min_max,
    "SimpleImputer": _imputer,
    "MissingIndicator": _indicator,
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _ordinal,
    "Cells": _cells,
    "FunctionTransformer": _function,
    "SelectorMixin": _selector,
    "Pipeline": _pipeline,
    "FeatureUnion": _union,
    "ColumnTransformer": _column_transformer,
    "ColumnList": _column_list,
}
"""How each kind of fitted transformer makes its columns; looked up along the class hierarchy. Others have no form as data."""
