"""Findings in sentences above a table: what a search teaches, and what differs between two explanations."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from automl_explain.explainers.formatting._names import one_line
from automl_explain.explainers.formatting._numbers import correlation_text, share_text
from automl_explain.explainers.formatting._text_table import Column, TextTable, wrapped

NAME_WIDTH = 32
"""Characters of a feature's name in a terminal."""


def findings_text(sentences: Iterable[str], table: TextTable) -> str:
    """Return the sentences, an empty line and the table, for a terminal."""
    return "\n".join([*map(wrapped, sentences), "", table.as_text()])


def search_table(importance: pd.DataFrame, n_top: int, top_k: int) -> TextTable:
    """Return the importance over the near-best runs of a search as a table.

    Parameters
    ----------
    importance : DataFrame
        `SearchExplanation.importance`.
    n_top : int
        Number of features that count as a run's most important.
    top_k : int
        Features shown.
    """
    heads = ("share", "range", f"in top {n_top}", "with loss")
    columns = (Column("feature", width=NAME_WIDTH), *(Column(head, is_number=True) for head in heads))
    rows = tuple(
        (
            one_line(name),
            share_text(row["mean"]),
            f"{share_text(row['low'])} to {share_text(row['high'])}",
            f"{row['in_top']:.0%}",
            correlation_text(row["with_loss"]),
        )
        for name, row in importance.head(top_k).iterrows()
    )
    return TextTable(columns, rows)
