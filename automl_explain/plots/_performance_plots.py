"""Plots of how good predictions are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl_explain.display._performance import Performance
from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.formatting._colors import BAR_COLOR, RULE_COLOR
from automl_explain.plots._style import finish, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 8
"""Height of the plot, in rows of a bar plot."""


@checked
def plot_residuals(performance: Performance, *, ax: Axes | None = None) -> Axes:
    """Plot the residuals of a regression over its predictions.

    Parameters
    ----------
    performance : Performance
        As ``explained.performance(y)`` returns it.
    ax : matplotlib Axes, optional
        Where to draw. Default: the axes of a new figure.

    Returns
    -------
    Axes
        The Axes drawn on; its figure is ``ax.figure``.

    Raises
    ------
    InvalidInputError
        If it is that of a classification.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import explain_model, plot_residuals
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> explained = explain_model(Ridge().fit(X[:300], y[:300]), X[:300], X[300:])
    >>> ax = plot_residuals(explained.performance(y[300:]))
    >>> ax.get_ylabel()
    'truth minus prediction'
    """
    if not isinstance(performance, Performance) or performance.confusion is not None:
        got = "that of a classification" if isinstance(performance, Performance) else type(performance).__name__
        raise InvalidInputError(
            f"plot_residuals expects the performance of a regression, as explained.performance(y) returns it. Got {got}."
        )
    ax = new_axes(HEIGHT) if ax is None else ax
    rows = performance.rows
    ax.axhline(0, color=RULE_COLOR, linewidth=1, zorder=1)
    ax.scatter(rows["predicted"], rows["error"], s=12, alpha=0.6, color=BAR_COLOR, linewidths=0, zorder=2)
    finish(ax, "Residuals", performance.headline, "prediction")
    ax.set_ylabel("truth minus prediction")
    return ax
