"""The plot of the contributions of an ensemble's members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from automl_explain.display._class_view import check_top_k, class_position, class_text, members_of, output_text
from automl_explain.explainers._arguments import checked
from automl_explain.explainers.explanation._explanation import MemberExplanation
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.formatting._colors import BAR_COLOR
from automl_explain.explainers.formatting._names import shortened
from automl_explain.plots._style import BAR_HEIGHT, finish, label_bars, legend_rows, name_rows, new_axes, stack_bars

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@checked
def plot_member_shares(
    explanation: Any,
    *,
    ax: Axes | None = None,
    class_: Any = None,
    top_k: int = 15,
) -> Axes:
    """Draw the most important features as bars with one piece per member: its part of the feature's importance.

    The pieces of a bar add up to the importance that `plot_global_importance` draws. A piece to the left of zero belongs to
    a member whose contributions mostly oppose those of the others. If features are not split among the members, there is a
    bar per member instead: its mean absolute contribution.

    Parameters
    ----------
    explanation : MemberExplanation, or a ModelExplanation, Explanation or Run with one
        What is drawn.
    ax : matplotlib Axes, optional
        Where to draw; default: a new pyplot figure.
    class_ : object, optional
        Label of a class whose importance is shown; default: the mean over classes.
    top_k : int, default 15
        Features shown, or members if features are not split.

    Returns
    -------
    matplotlib Axes
        The Axes drawn on; its figure is ``ax.figure``.

    Raises
    ------
    InvalidInputError
        If the class is unknown, `top_k` is less than 1, or there are no contributions of members.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import RandomForestRegressor, VotingRegressor
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import TabularExplainer, plot_member_shares
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> vote = VotingRegressor([("rf", RandomForestRegressor(20, random_state=0)), ("ridge", Ridge())]).fit(X, y)
    >>> ax = plot_member_shares(TabularExplainer(vote, X).explain_members(X.iloc[:20]), top_k=3)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['rf', 'ridge']
    """
    shares, top_k = members_of(explanation), check_top_k(top_k)
    position = None if class_ is None else class_position(shares, class_)
    of = "" if position is None else f" for class {shortened(class_text(shares, position), 24)}"
    mean = "mean over classes of " if position is None and shares.classes is not None else ""
    label = f"{mean}mean |contribution| ({output_text(shares)})"
    if shares.local_importance_values is None:
        return _bars_of_members(shares, ax, position, top_k, f"Contribution of each member{of}", label)
    parts = shares.global_importance_values if position is None else shares.per_class_values[:, position]
    order = ranking(parts.sum(axis=0))[:top_k]
    ax = ax or new_axes(shares_rows(shares, top_k))
    room, ends = stack_bars(ax, parts[:, order], shares.members, ("member", "members"))
    label_bars(ax, parts[:, order].sum(axis=0), room, ends)
    name_rows(ax, [shares.feature_labels[j] for j in order])
    n_features = parts.shape[1]
    shown = f"{len(order)} of {n_features} features" if len(order) < n_features else ""
    against = "\nleft of zero: a member that mostly opposes the others" if (parts[:, order] < 0).any() else ""
    finish(ax, f"Members' parts of each feature's importance{of}", shown, label + against)
    return ax


def shares_rows(shares: MemberExplanation, top_k: int) -> int:
    """Return the number of rows of a figure that has room for the bars and the legend of members."""
    if shares.local_importance_values is None:
        return min(top_k, len(shares.members))
    return max(min(top_k, len(shares.feature_labels)), legend_rows(len(shares.members)))


def _bars_of_members(
    shares: MemberExplanation, ax: Axes | None, position: int | None, top_k: int, title: str, label: str
) -> Axes:
    values = shares.member_importance_values
    if position is not None:
        values = np.abs(shares.local_member_values[:, position]).mean(axis=-1)
    order = ranking(values)[:top_k]
    ax = ax or new_axes(len(order))
    ax.barh(np.arange(len(order)), values[order], height=BAR_HEIGHT, color=BAR_COLOR, zorder=2)
    label_bars(ax, values[order])
    name_rows(ax, [shares.members[m] for m in order])
    shown = f"{len(order)} of {len(values)}" if len(order) < len(values) else ""
    finish(ax, title, shown, label)
    return ax
