"""Rows of a file as a loaded model takes them: its columns, and its categories, which a text file does not tell."""

from __future__ import annotations

from typing import Any

import pandas as pd

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.scoring.columns._schema import missing_columns


def rows_of_model(model: Any, frame: pd.DataFrame, source: str, others: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the columns that a model reads, with the types that it was trained on.

    Parameters
    ----------
    model : object
        What `load_model` returned.
    frame : DataFrame
        Rows of a file.
    source : str
        What the file is called in messages.
    others : tuple of str
        Columns that are not the model's, if the model knows its columns by position only.

    Raises
    ------
    ColumnMismatchError
        If a column of the model is missing.
    InvalidInputError
        If the model knows no names, and there are more or fewer columns.
    """
    described = describe(model)
    names = described.input_names
    if names is not None:
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
        if missing := [name for name in names if name not in frame.columns]:
            raise missing_columns(missing, list(frame.columns), source)
        return _with_categories(model, frame[list(names)])
    frame = frame.drop(columns=[name for name in others if name in frame.columns])
    if described.n_inputs is not None and frame.shape[1] != described.n_inputs:
        raise InvalidInputError(
            f"The model reads {described.n_inputs} columns, whose names it does not tell. {source} has {frame.shape[1]}: "
            f"{list(frame.columns)[:8]}. Name those that are not the model's, such as the target: --target NAME, --columns "
            "NAME ..."
        )
    return frame


def _with_categories(model: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the columns of a booster's categories as categories."""
    find = _CATEGORIES.get(f"{type(model).__module__.partition('.')[0]}.{type(model).__name__}")
    columns = [] if find is None else [frame.columns[number] for number in find(model)]
    return frame.astype(dict.fromkeys(columns, "category"))


def _of_lightgbm(booster: Any) -> list[int]:
    """Return the columns whose values are categories; those of numbers have an interval of values."""
    if not booster.pandas_categorical:
        return []
    lines = booster.model_to_string(num_iteration=1).splitlines()
    found = next(line.partition("=")[2].split() for line in lines if line.startswith("feature_infos="))
    return [number for number, values in enumerate(found) if not values.startswith("[") and values != "none"]


def _of_xgboost(booster: Any) -> list[int]:
    return [number for number, kind in enumerate(booster.feature_types or ()) if kind == "c"]


_CATEGORIES = {"lightgbm.Booster": _of_lightgbm, "xgboost.Booster": _of_xgboost}
"""Class of a model -> numbers of its columns of categories. Estimators read the types of their columns themselves."""
