"""Plots as PNG files in memory, without pyplot: no window is opened, no figure stays open, and any thread may draw."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from automl_explain.explainers._quiet import ignored
from automl_explain.explainers.formatting._colors import INK_COLOR
from automl_explain.plots._style import ROW_INCHES, figure_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def png(
    draw: Callable[[Axes], object],
    n_rows: int,
    *,
    row_inches: float = ROW_INCHES,
    dpi: int = 150,
    background: str = "white",
) -> bytes:
    """Return a picture with dark text, independent of the caller's style.

    Parameters
    ----------
    draw : callable
        Draws on the axes that it is given.
    n_rows : int
        Number of rows for which the picture must have room.
    row_inches : float
        Height of a row.
    dpi : int, default 150
    background : str, default "white"
        Colour behind the axes; "none" for transparent.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    figure = Figure(figsize=figure_size(n_rows, row_inches), layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    for ax in figure.axes:
        ax.set_facecolor("none")
        ax.tick_params(labelcolor=INK_COLOR)
    for text in figure.findobj(Text):
        text.set_color(INK_COLOR)
    stream = io.BytesIO()
    # Characters that the font lacks are drawn as boxes; the tables of the report show them.
    with ignored(UserWarning, "Glyph .* missing from"):
        figure.savefig(stream, format="png", dpi=dpi, facecolor=background)
    return stream.getvalue()
