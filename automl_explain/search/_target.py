"""What a target is: labels or a number, and which targets are asked about first."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from automl_explain.explainers._errors import InvalidInputError

MOST_CLASSES = 20
"""A target of whole numbers with at most this many distinct values is a classification."""
LABEL_SHARE = 0.1
"""Texts with more distinct values than this share of the rows are not taken for labels without being asked for."""
DECIMAL_COMMA = r"[+-]?(\d+|\d{1,3}([.\s]\d{3})+)(,\d+)?"
"""A number as much of Europe writes it."""

Task = Literal["classification", "regression"]
AS_ASKED = "as asked for"
"""The reason for a task that the user gave."""
MANY_CLASSES = 100
"""Number of classes from which a trial may take longer than a short time budget."""


def settled(y: pd.Series, task: Task | None) -> tuple[pd.Series, Task, str]:
    """Return the target of a file or table, its task and the reason for it.

    A regression on texts with a decimal comma, such as "1.234,5", reads them as numbers.

    Raises
    ------
    InvalidInputError
        If no task is given and the target is text that is unlikely to be labels: numbers with a decimal comma, dates, or
        texts that are nearly all distinct.
    """
    if task == "regression" and (numbers := _decimal_commas(y)) is not None:
        return numbers, task, f"{AS_ASKED}; numbers with a decimal comma"
    if task is not None:
        return y, task, AS_ASKED
    _ask_about_labels(y)
    return y, *infer_task(y)


def _decimal_commas(y: pd.Series) -> pd.Series | None:
    """Return texts that are all numbers as numbers, if at least one has a decimal comma; None for anything else."""
    if not _is_text(y):
        return None
    texts = y.astype(str).str.strip()
    if not texts.str.fullmatch(DECIMAL_COMMA).all() or not texts.str.contains(",", regex=False).any():
        return None
    plain = texts.str.replace(r"[.\s]", "", regex=True).str.replace(",", ".", regex=False)
    return plain.astype(float).rename(y.name)


def _is_text(y: pd.Series) -> bool:
    return bool(pd.api.types.is_string_dtype(y)) or y.dtype == object


def _ask_about_labels(y: pd.Series) -> None:
    """Raise an error for a target without a task that is unlikely to be labels; the message says how to go on."""
    distinct = y.nunique()
    if distinct <= MOST_CLASSES or isinstance(y.dtype, pd.CategoricalDtype):
        return
    given = f"The target {y.name!r} has {distinct:,} distinct values in {len(y):,} rows, such as {str(y.iloc[0])!r}"
    labels = "If they are labels, pass task='classification' (--task classification)."
    if _decimal_commas(y) is not None:
        raise InvalidInputError(
            f"{given}: numbers with a decimal comma. Pass task='regression' (--task regression) to predict them as numbers. "
            f"{labels}"
        )
    if pd.api.types.is_datetime64_any_dtype(y) or (_is_text(y) and _are_dates(y)):
        raise InvalidInputError(f"{given}: dates. Turn them into a number to predict, such as days. {labels}")
    if _is_text(y) and distinct > LABEL_SHARE * len(y):
        raise InvalidInputError(
            f"{given}: too many to be labels. Choose another target, or turn it into numbers. {labels}"
        )


def _are_dates(y: pd.Series) -> bool:
    texts = y.astype(str)
    if not bool(texts.str.contains(r"\d", regex=True).all()):
        return False
    read: pd.Series = pd.to_datetime(texts, errors="coerce", format="mixed")
    return bool(read.notna().all())


def infer_task(y: pd.Series) -> tuple[Task, str]:
    """Infer the task from a target, with the reason: text, booleans and few whole numbers are classes."""
    distinct = y.nunique()
    if (
        isinstance(y.dtype, pd.CategoricalDtype)
        or not pd.api.types.is_numeric_dtype(y)
        or pd.api.types.is_bool_dtype(y)
    ):
        return "classification", f"since the target has {distinct} labels that are not numbers"
    whole = bool((y == y.round()).all())
    if distinct == 2 or (whole and distinct <= MOST_CLASSES):
        return "classification", f"since the target has only {distinct} distinct numbers"
    return "regression", f"since the target is a number with {distinct:,} distinct values"
