"""An explanation's rankings as bars and tables, which notebooks, the terminal and the report show."""

from __future__ import annotations

import numpy as np

from automl_explain.explainers.explanation._member_values import MemberValues
from automl_explain.explainers.explanation._values import ExplanationValues
from automl_explain.explainers.formatting._bars import Bar, bars
from automl_explain.explainers.formatting._numbers import number_text
from automl_explain.explainers.formatting._text_table import Column, TextTable

MOST_CLASSES = 12
"""Classes with a column of their own."""


def importance_bars(explanation: ExplanationValues, top_k: int) -> tuple[Bar, ...]:
    """Return the importance of the `top_k` most important features, most important first."""
    values = explanation.global_importance_values
    labels = explanation.feature_labels
    shown = np.argsort(-values, kind="stable")[:top_k]
    return bars([labels[j] for j in shown], values[shown])


def class_table(explanation: ExplanationValues, top_k: int) -> TextTable | None:
    """Return the importance of the most important features for each class; None unless there are more than two classes."""
    n_classes = len(explanation.classes or ())
    known = explanation.local_importance_values is not None or explanation.class_values is not None
    if n_classes <= 2 or not known:
        return None
    shown = np.argsort(-explanation.global_importance_values, kind="stable")[:top_k]
    values, labels = explanation.per_class_values[:MOST_CLASSES], explanation.feature_labels
    heads = [str(label) for label in (explanation.classes or ())[:MOST_CLASSES]]
    columns = (Column("feature"), *(Column(head, is_number=True) for head in heads))
    return TextTable(columns, tuple((labels[j], *map(number_text, values[:, j])) for j in shown))


def member_bars(shares: MemberValues) -> tuple[Bar, ...]:
    """Return the importance of each member of an ensemble, most important first."""
    importance = shares.get_member_importance_dict()
    return bars(importance, importance.values())


def split_table(shares: MemberValues, top_k: int, most_members: int | None = None) -> TextTable | None:
    """Return each member's part of the importance of the most important features; None where features are not split.

    Parameters
    ----------
    shares : MemberValues
    top_k : int
        Features shown.
    most_members : int, optional
        Show this many members, the most important first; default: all members in the order of the ensemble.
    """
    if shares.local_importance_values is None:
        return None
    frame = shares.to_frame()
    if most_members is not None:
        frame = frame[list(shares.get_member_importance_dict())[:most_members]]
    rows = tuple(
        (str(feature), *map(number_text, parts))
        for feature, parts in zip(frame.index[:top_k], frame.to_numpy()[:top_k], strict=True)
    )
    members = (Column(str(name), is_number=True, width=12) for name in frame.columns)
    return TextTable((Column("feature", width=40), *members), rows)
