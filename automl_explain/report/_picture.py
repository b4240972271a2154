"""Plots as pictures within the page."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_explain.plots._png import png
from automl_explain.plots._style import ROW_INCHES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Picture:
    """A PNG file in base64, the text for readers who cannot see it, and its caption."""

    base64: str
    alt: str
    caption: str


def draw(
    plot: Callable[[Axes], object], n_rows: int, *, alt: str, caption: str, row_inches: float = ROW_INCHES
) -> Picture:
    """Draw a plot on a transparent background.

    Parameters
    ----------
    plot : callable
        Draws on the axes that it is given.
    n_rows : int
        Rows that the picture must have room for.
    alt, caption : str
    row_inches : float
        Height of a row.
    """
    content = png(plot, n_rows, row_inches=row_inches, background="none")
    return Picture(base64.b64encode(content).decode(), alt, caption)
