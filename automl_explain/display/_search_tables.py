"""A `SearchExplanation` as a table for notebooks and the report, and as text for a terminal."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from automl_explain.display._class_view import minus, one_line, shortened

if TYPE_CHECKING:
    from automl_explain.analysis._search_explanation import SearchExplanation

SHOWN = 15
"""Features of a table."""
WIDTH = 30
"""Letters of a feature's name in a terminal."""


def search_rows(taught: SearchExplanation, top_k: int = SHOWN) -> list[tuple[str, ...]]:
    """Return a row of text per feature: name, mean share, range, part of runs in the top, correlation with the loss."""
    return [
        (
            one_line(name),
            f"{row['mean']:.1%}",
            f"{row['low']:.1%} to {row['high']:.1%}",
            f"{row['in_top']:.0%}",
            "" if np.isnan(row["with_loss"]) else minus(f"{row['with_loss']:+.2f}"),
        )
        for name, row in taught.importance.head(top_k).iterrows()
    ]


def heads(taught: SearchExplanation) -> tuple[str, ...]:
    """Return the heads of the columns of `search_rows`."""
    return ("feature", "share", "range", f"in top {taught.top_k}", "with loss")


def search_table(taught: SearchExplanation, top_k: int = SHOWN) -> str:
    """Return the importance over near-best runs as an HTML table."""
    head = "".join(
        f'<th scope="col"{"" if j == 0 else " class=number"}>{escape(name)}</th>'
        for j, name in enumerate(heads(taught))
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(shortened(name, 48))}</th>'
        + "".join(f'<td class="number">{escape(cell)}</td>' for cell in cells)
        + "</tr>"
        for name, *cells in search_rows(taught, top_k)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def search_html(taught: SearchExplanation) -> str:
    """Return findings and importance for a notebook."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in taught.sentences())
    return f"<ul>{items}</ul>{search_table(taught)}"


def search_text(taught: SearchExplanation, top_k: int = SHOWN) -> str:
    """Return findings and importance for a terminal."""
    rows = [heads(taught)] + [(shortened(name, WIDTH), *cells) for name, *cells in search_rows(taught, top_k)]
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if j == 0 else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([*taught.sentences(), "", *(line.rstrip() for line in lines)])
