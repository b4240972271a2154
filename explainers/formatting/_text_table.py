"""Tables of text: one description of a table, laid out here for a terminal and by a template for HTML."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from automl_explain.explainers.formatting._names import one_line, shortened

WIDTH = 80
"""Characters of a line in a terminal."""
GAP = "  "
"""Between two columns."""
NARROWEST = 12
"""Characters that the last column keeps, however wide the others are."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    head : str
    is_number : bool, default False
        Whether the column is aligned to the right.
    width : int, optional
        Most characters of a cell in a terminal; default: no limit.
    """

    head: str
    is_number: bool = False
    width: int | None = None


@dataclass(frozen=True)
class TextTable:
    """A table whose cells are text.

    Parameters
    ----------
    columns : tuple of Column
    rows : tuple of tuple of str
        A cell per column; an empty cell stays empty.

    Examples
    --------
    >>> from automl_explain.explainers.formatting._text_table import Column, TextTable
    >>> print(TextTable((Column("feature"), Column("share", is_number=True)), (("age", "70%"), ("pay", "5%"))).as_text())
    feature  share
    -------  -----
    age        70%
    pay         5%
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_text(self, width: int = WIDTH) -> str:
        """Return aligned columns below their heads; the last column is shortened to fit into `width` characters."""
        cells = [self._line(column.head for column in self.columns), *map(self._line, self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        room = width - sum(widths[:-1]) - len(GAP) * (len(widths) - 1)
        widths[-1] = min(widths[-1], max(room, NARROWEST))
        lines = [GAP.join(map(self._padded, self.columns, row, widths)).rstrip() for row in cells]
        lines.insert(1, GAP.join("-" * width for width in widths))
        return "\n".join(lines)

    def _line(self, cells: Iterable[str]) -> tuple[str, ...]:
        """Cells on one line each, within the width of their column."""
        return tuple(
            "" if not cell else one_line(cell) if column.width is None else shortened(cell, column.width)
            for column, cell in zip(self.columns, cells, strict=True)
        )

    @staticmethod
    def _padded(column: Column, cell: str, width: int) -> str:
        shown = shortened(cell, width) if cell else ""
        return shown.rjust(width) if column.is_number else shown.ljust(width)


def beside(blocks: Sequence[Sequence[str]], width: int = WIDTH, gap: str = "   ") -> str:
    """Return blocks of lines beside each other, as many as fit into `width`, and the others below.

    Parameters
    ----------
    blocks : sequence of sequence of str
        The lines of each block; all blocks have the same number of lines.
    width : int, default 80
    gap : str, default three spaces
        Between two blocks.
    """
    groups: list[list[list[str]]] = []
    used = width
    for block in blocks:
        own = max(map(len, block))
        if used + own + len(gap) > width:
            groups.append([])
            used = 0
        groups[-1].append([line.ljust(own) for line in block])
        used += own + len(gap)
    return "\n\n".join("\n".join(gap.join(parts).rstrip() for parts in zip(*group, strict=True)) for group in groups)


def wrapped(line: str, width: int = WIDTH) -> str:
    """Return text broken into lines of at most `width` characters; all but the first are indented."""
    return "\n".join(textwrap.wrap(line, width, subsequent_indent="  "))
