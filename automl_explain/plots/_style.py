"""What all plots share: axes, labels, titles, stacked bars, colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from automl_explain.explainers.formatting._colors import CLASS_COLORS, NEUTRAL_COLOR, RULE_COLOR, SEQUENTIAL_COLORS
from automl_explain.explainers.formatting._names import shortened
from automl_explain.explainers.formatting._numbers import minus, number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

NAME_WIDTH = 28
"""Most characters of a feature's name beside an axis."""
TITLE_WIDTH = 44
"""Most characters of a title on one line; a longer title takes two."""
BAR_HEIGHT = 0.64
FIGURE_INCHES = 7.2
ROW_INCHES = 0.3


def figure_size(n_rows: int, row_inches: float = ROW_INCHES) -> tuple[float, float]:
    """Return the width and height, in inches, of a figure with `n_rows` rows."""
    return FIGURE_INCHES, 1.25 + row_inches * max(n_rows, 3)


def new_axes(n_rows: int, row_inches: float = ROW_INCHES) -> Axes:
    """Return the axes of a new pyplot figure, tall enough for `n_rows` rows; notebooks show and close such a figure."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=figure_size(n_rows, row_inches), layout="constrained")
    return ax


def name_rows(ax: Axes, names: list[str], width: int = NAME_WIDTH) -> None:
    """Label the rows from top to bottom; dollar signs are text, not formulas."""
    ax.set_yticks(range(len(names)), [shortened(name, width) for name in names], parse_math=False)
    ax.set_ylim(len(names) - 0.5, -0.5)


def finish(ax: Axes, title: str, detail: str, xlabel: str) -> None:
    """Set the title, the unit and a light grid, and remove the frame."""
    both = f"{title} ({detail})" if detail else title
    ax.set_title(both if len(both) <= TITLE_WIDTH else f"{title}\n{detail}".strip(), loc="left", parse_math=False)
    ax.set_xlabel(xlabel, parse_math=False)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(RULE_COLOR)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", color=RULE_COLOR)
    ax.grid(visible=False)
    ax.grid(visible=True, axis="x", color=RULE_COLOR, alpha=0.35, linewidth=0.8, zorder=0)
    ax.set_axisbelow(True)


def write_beside(
    ax: Axes, x: float, row: int, text: str, *, to_right: bool, gap: float = 5, bold: bool = False
) -> None:
    """Write text `gap` points from the point (x, row)."""
    ax.annotate(
        minus(text),
        (x, row),
        xytext=(gap if to_right else -gap, 0),
        textcoords="offset points",
        ha="left" if to_right else "right",
        va="center_baseline",
        fontsize="small",
        fontweight="bold" if bold else "normal",
        parse_math=False,
    )


def label_room(ax: Axes) -> float:
    """Return the estimated fraction of the axes' width that a number beside a bar needs."""
    from matplotlib import rcParams

    figure = ax.get_figure(root=True)
    assert figure is not None
    without_names = 0.6 * ax.get_position().width * figure.get_size_inches()[0]
    return float(min(0.062 * rcParams["font.size"] / without_names, 0.3))


def label_bars(
    ax: Axes, values: np.ndarray, least_room: float = 0.0, ends: tuple[np.ndarray, np.ndarray] | None = None
) -> None:
    """Write each bar's value beside its end, and extend the axis so that the numbers have room.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (n,)
        Lengths of the bars.
    least_room : float
        Fraction of the axis that must stay free on the right.
    ends : tuple of two ndarrays of shape (n,), optional
        Leftmost and rightmost point drawn in each row, if more than the bar is drawn.
    """
    lows, highs = (values, values) if ends is None else ends
    low, high = min(0.0, float(lows.min(initial=0.0))), max(0.0, float(highs.max(initial=0.0)))
    width = (high - low) or 1.0
    right = max(label_room(ax), least_room)
    left = label_room(ax) if values.min(initial=0.0) < 0 else 0.02 if low < 0 else 0.0
    unit = width / (1 - left - right)
    ax.set_xlim(low - left * unit, high + right * unit)
    if low < 0:
        ax.axvline(0, color=RULE_COLOR, linewidth=1, zorder=1)
    for row, value in enumerate(values):
        end = float(highs[row]) if value >= 0 else float(lows[row])
        write_beside(ax, end, row, number_text(value), to_right=value >= 0)


def stack_bars(
    ax: Axes, parts: np.ndarray, labels: Sequence[str], what: tuple[str, str]
) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """Draw bars with one coloured piece per part, negative pieces to the left of zero, and a legend.

    Parameters
    ----------
    ax : Axes
    parts : ndarray, shape (P, n)
        Lengths of the pieces of each bar, longest bar first.
    labels : sequence of str
        Names of the parts; the least important ones share a colour.
    what : tuple of str
        Word for a part, singular and plural.

    Returns
    -------
    room : float
        Fraction of the axis that the legend needs.
    ends : tuple of two ndarrays of shape (n,)
        Left and right end of each bar.
    """
    own = np.sort(np.argsort(-np.abs(parts).sum(axis=1), kind="stable")[: len(CLASS_COLORS)])
    pieces = [(shortened(labels[p], 18), parts[p], CLASS_COLORS[i]) for i, p in enumerate(own)]
    rest = np.setdiff1d(np.arange(len(parts)), own)
    if len(rest):
        others = f"1 other {what[0]}" if len(rest) == 1 else f"{len(rest)} other {what[1]}"
        pieces.append((others, parts[rest].sum(axis=0), NEUTRAL_COLOR))
    n_rows = parts.shape[1]
    left, right = np.zeros(n_rows), np.zeros(n_rows)
    for label, piece, color in pieces:
        starts = np.where(piece < 0, left, right)
        ax.barh(np.arange(n_rows), piece, left=starts, height=BAR_HEIGHT, color=color, label=label, zorder=2)
        left, right = left + np.minimum(piece, 0.0), right + np.maximum(piece, 0.0)
    legend = ax.legend(title=what[0], frameon=False, loc="lower right", alignment="left", fontsize="small")
    for text in legend.get_texts():
        text.set_parse_math(False)
    beside = right[-legend_rows(len(pieces)) :]
    return 0.0 if beside.max(initial=0.0) < 0.55 * right.max(initial=0.0) else 0.38, (left, right)


def legend_rows(n_parts: int) -> int:
    """Return the number of rows that the legend of `n_parts` parts covers."""
    return int(np.ceil(0.7 * (min(n_parts, len(CLASS_COLORS) + 1) + 1.5)))


def color_map() -> Colormap:
    """Return the colour map from the lowest to the highest value."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("low_to_high", SEQUENTIAL_COLORS)


def add_color_bar(ax: Axes, name: str = "feature value") -> None:
    """Add the legend of `color_map`, of the values of what is named, to the right of the axes."""
    from matplotlib.cm import ScalarMappable

    figure = ax.get_figure(root=False)
    assert figure is not None
    bar = figure.colorbar(ScalarMappable(cmap=color_map()), ax=ax, ticks=[0, 1], aspect=35, shrink=0.9, pad=0.02)
    bar.ax.set_yticklabels(["low", "high"])
    bar.ax.tick_params(length=0)
    bar.set_label(name, labelpad=-12, parse_math=False)
    bar.outline.set_visible(False)
