"""FLAML learners for tables whose column names LightGBM or XGBoost refuse or change.

LightGBM refuses ``[]{}":,`` in a name and replaces blanks, XGBoost refuses ``[]<``. These learners name the columns by their
numbers before their library sees them. Everything outside the learner keeps the user's names.
"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
from flaml.automl.model import LGBMEstimator, XGBoostLimitDepthEstimator, XGBoostSklearnEstimator

PLAIN = re.compile(r"\w+", re.ASCII)
"""A name that both libraries keep as it is."""


class _PlainNames:
    """Mixin that names columns by their numbers."""

    names_by_number = True
    """Tells the reader of learners that the names of the fitted object are not those of the table."""

    def _preprocess(self, X: Any) -> Any:
        X = super()._preprocess(X)  # type: ignore[misc]  # of the learner that this is mixed into
        if not isinstance(X, pd.DataFrame):
            return X
        return X.set_axis([f"column_{number}" for number in range(X.shape[1])], axis=1)


class PlainLGBM(_PlainNames, LGBMEstimator):
    """FLAML's lgbm."""


class PlainXGBoost(_PlainNames, XGBoostSklearnEstimator):
    """FLAML's xgboost."""


class PlainXGBoostLimitDepth(_PlainNames, XGBoostLimitDepthEstimator):
    """FLAML's xgb_limitdepth."""


LEARNERS: dict[str, type] = {
    "lgbm": PlainLGBM,
    "xgboost": PlainXGBoost,
    "xgb_limitdepth": PlainXGBoostLimitDepth,
}
"""FLAML's name of a learner -> the learner that takes any column name."""


def needs_plain_names(table: Any) -> bool:
    """Return whether a library may refuse or change a column name of a table."""
    return isinstance(table, pd.DataFrame) and not all(PLAIN.fullmatch(str(name)) for name in table.columns)
