"""Plots of a whole search: importance over its near-best runs, and in the course of the search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from automl_explain.analysis._search_explanation import SearchExplanation
from automl_explain.display._class_view import check_top_k
from automl_explain.explainers._arguments import checked
from automl_explain.explainers.formatting._colors import (
    BAR_COLOR,
    CLASS_COLORS,
    LOWERING_COLOR,
    NEUTRAL_COLOR,
    RULE_COLOR,
)
from automl_explain.explainers.formatting._names import shortened
from automl_explain.plots._style import finish, name_rows, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@checked
def plot_search_importance(search: Any, *, ax: Axes | None = None, top_k: int = 15) -> Axes:
    """Draw each feature's share of importance over the near-best runs: a point per run, the range, and the mean.

    Parameters
    ----------
    search : SearchExplanation, iterable of Run, or object with `runs`
        What is drawn.
    ax : matplotlib Axes, optional
        Where to draw; default: a new pyplot figure.
    top_k : int, default 15
        Features shown.

    Returns
    -------
    matplotlib Axes
        The Axes drawn on; its figure is ``ax.figure``.

    Raises
    ------
    InvalidInputError
        If `top_k` is less than 1, or the runs cannot be compared.

    Examples
    --------
    >>> import numpy as np
    >>> from automl_explain import Run, SearchExplanation, plot_search_importance
    >>> runs = tuple(Run(f"a-{i}", "a", i, "lgbm", {}, 0.1, "log_loss", "trial", "explained", "", None, 1.0, (), None)
    ...              for i in range(3))
    >>> taught = SearchExplanation(runs, ("age", "pay"), np.array([[0.7, 0.3], [0.6, 0.4], [0.5, 0.5]]))
    >>> plot_search_importance(taught).get_xlabel()
    'share of all importance'
    """
    taught = _read(search)
    table = taught.importance.head(check_top_k(top_k))
    columns = [taught.features.index(name) for name in table.index]
    good = taught.shares[taught.near_best][:, columns]
    ax = ax or new_axes(len(table))
    rows = np.arange(len(table))
    ax.hlines(rows, table["low"], table["high"], color=RULE_COLOR, linewidth=7, zorder=1)
    lanes = np.zeros(len(good)) if len(good) == 1 else np.linspace(-0.17, 0.17, len(good))
    size = float(np.clip(400 / len(good), 5, 18))
    for place in rows:
        ax.scatter(good[:, place], place + lanes, s=size, color=BAR_COLOR, alpha=0.65, linewidths=0, zorder=2)
    ax.scatter(table["mean"], rows, marker="|", s=170, color=LOWERING_COLOR, linewidths=2.4, zorder=3)
    name_rows(ax, list(table.index))
    _percent(ax.xaxis)
    ax.set_xlim(0, 1.06 * float(table["high"].max()) or 1.0)
    n_runs = len(good)
    finish(ax, "Importance over near-best runs", f"{n_runs} run{'s' if n_runs != 1 else ''}", "share of all importance")
    return ax


@checked
def plot_importance_history(search: Any, *, ax: Axes | None = None, top_k: int = 5) -> Axes:
    """Draw the importance of the most important features in the course of the search.

    A point is a run. A line follows the best run so far: the model that would have been deployed at that time.

    Parameters
    ----------
    search : SearchExplanation, iterable of Run, or object with `runs`
        What is drawn.
    ax : matplotlib Axes, optional
        Where to draw; default: a new pyplot figure.
    top_k : int, default 5
        Features shown, the most important over the near-best runs first; at most as many as there are colours.

    Returns
    -------
    matplotlib Axes
        The Axes drawn on; its figure is ``ax.figure``.

    Raises
    ------
    InvalidInputError
        If `top_k` is less than 1, or the runs cannot be compared.

    Examples
    --------
    >>> import numpy as np
    >>> from automl_explain import Run, SearchExplanation, plot_importance_history
    >>> runs = tuple(Run(f"a-{i}", "a", i, "lgbm", {}, 0.1, "log_loss", "trial", "explained", "", None, 1.0, (), None)
    ...              for i in range(3))
    >>> taught = SearchExplanation(runs, ("age", "pay"), np.array([[0.7, 0.3], [0.6, 0.4], [0.5, 0.5]]))
    >>> plot_importance_history(taught).get_ylabel()
    'share of all importance'
    """
    from matplotlib.ticker import MaxNLocator

    taught = _read(search)
    names = list(taught.importance.index[: min(check_top_k(top_k), len(CLASS_COLORS))])
    ax = ax or new_axes(9)
    numbers = np.array([run.number for run in taught.runs])
    lowest = np.minimum.accumulate(taught.losses)
    best_so_far = np.maximum.accumulate(np.where(taught.losses <= lowest, np.arange(len(numbers)), 0))
    for name, color in zip(names, CLASS_COLORS, strict=False):
        own = taught.shares[:, taught.features.index(name)]
        ax.scatter(numbers, own, s=11, color=color, alpha=0.4, linewidths=0, zorder=2)
        ax.step(numbers, own[best_so_far], where="post", color=color, linewidth=2, zorder=3, label=shortened(name, 22))
    new = np.flatnonzero(np.diff(best_so_far, prepend=-1) != 0)
    ax.vlines(numbers[new], 0, 0.02, transform=ax.get_xaxis_transform(), color=NEUTRAL_COLOR, linewidth=1.4, zorder=4)
    legend = ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
    for text in legend.get_texts():
        text.set_parse_math(False)
    _percent(ax.yaxis)
    ax.set_ylim(bottom=0)
    finish(
        ax, "Importance in the course of the search", "lines: best run so far", "run (ticks at the bottom: a new best)"
    )
    ax.set_ylabel("share of all importance")
    ax.grid(visible=True, axis="y", color=RULE_COLOR, alpha=0.35, linewidth=0.8, zorder=0)
    if len(numbers) > 1:
        ax.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return ax


def _read(search: Any) -> SearchExplanation:
    return search if isinstance(search, SearchExplanation) else SearchExplanation.from_runs(search)


def _percent(axis: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
