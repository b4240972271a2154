"""Numbers and table cells as text.

Text has a plain hyphen before a negative number, so that it can be copied into a program. Pages, plots and sentences
replace it with a minus sign (`minus`).
"""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.explainers.formatting._names import shortened

NONE = "–"  # noqa: RUF001 - an en dash is meant
"""Shown in place of a number that is not there."""


def number_text(value: float, *, signed: bool = False) -> str:
    """Return a number with about three significant digits.

    Parameters
    ----------
    value : float
    signed : bool, default False
        If True, a positive number has a plus sign.
    """
    value = float(value)
    if not np.isfinite(value):
        return str(value)
    size = abs(value)
    if size == 0:
        return "0"
    if size < 0.5e-4 or size >= 1e7:
        text = f"{size:.1e}"
    elif size >= 999.5:
        text = f"{size:,.0f}"
    else:
        text = f"{size:#.3g}" if size >= 0.001 else f"{size:.1e}"
    return f"{'-' if value < 0 else '+' if signed else ''}{text.removesuffix('.')}"


def minus(text: str) -> str:
    """Return text with a typographic minus sign in place of a leading hyphen."""
    return f"−{text[1:]}" if text.startswith("-") else text  # noqa: RUF001 - the minus sign is meant


def typeset_number(value: float | None, *, signed: bool = False) -> str:
    """Return a number for a page or a plot, with a typographic minus sign; a dash for None."""
    return NONE if value is None else minus(number_text(value, signed=signed))


def share_text(share: float, *, signed: bool = False) -> str:
    """Return a share between 0 and 1 as a percentage with one decimal."""
    return f"{share:+.1%}" if signed else f"{share:.1%}"


def correlation_text(value: float) -> str:
    """Return a correlation with its sign and two decimals; empty for NaN."""
    return "" if np.isnan(value) else f"{value:+.2f}"


def loss_text(loss: float | None) -> str:
    """Return a run's loss with five significant digits; a dash for None."""
    return NONE if loss is None else f"{loss:.5g}"


def seconds_text(seconds: float | None) -> str:
    """Return a number of seconds with two decimals; a dash for None."""
    return NONE if seconds is None else f"{seconds:.2f}"


def cell_text(value: Any, width: int = 16) -> str:
    """Return a table's cell as text: dates without midnight, short numbers, "missing" for a missing value."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "missing"
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, np.datetime64 | pd.Timestamp) or hasattr(value, "isoformat"):
        return _date_text(value)
    if isinstance(value, numbers.Integral):
        return shortened(int(value), width)
    if isinstance(value, numbers.Real):
        number = float(value)
        whole = abs(number) < 1e7 and (number == int(number) or abs(number) >= 9999.5)
        return f"{number:.0f}" if whole else f"{number:.4g}"
    return shortened(value, width)


def python_value(value: Any) -> Any:
    """Return a NumPy scalar as the Python value that it stands for; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _date_text(value: Any) -> str:
    try:
        moment = pd.Timestamp(value)
    except (TypeError, ValueError):
        return str(value)
    midnight = moment == moment.normalize()
    return str(moment.date()) if midnight else moment.strftime("%Y-%m-%d %H:%M")
