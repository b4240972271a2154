"""Plots of an explanation: overall importance, contributions of each feature, and the steps of one prediction.

Every function takes an Axes, or creates a pyplot figure, and returns the Axes. The caller's rcParams are used and not
changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from automl_explain.display._class_view import (
    STEP_WIDTH,
    ClassView,
    Positions,
    Step,
    Values,
    check_row,
    check_top_k,
    class_position,
    class_text,
    data_of,
    default_class,
    explanation_of,
    local_steps,
    local_values,
    output_text,
    view_class,
)
from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.formatting._colors import (
    BAR_COLOR,
    CLASS_COLORS,
    LOWERING_COLOR,
    NEUTRAL_COLOR,
    RULE_COLOR,
)
from automl_explain.explainers.formatting._names import shortened
from automl_explain.explainers.formatting._numbers import minus, number_text
from automl_explain.plots._beeswarm import MARKS, Marks, marks, offsets, shades
from automl_explain.plots._style import (
    BAR_HEIGHT,
    add_color_bar,
    color_map,
    finish,
    label_bars,
    label_room,
    legend_rows,
    name_rows,
    new_axes,
    stack_bars,
    write_beside,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 4000
"""Most rows that a beeswarm draws; from more rows, it draws this many at equal distances."""
MOST_LEGENDS = 4
"""Features whose categories are named below a beeswarm, the most important first."""


@checked
def plot_global_importance(
    explanation: Any,
    *,
    ax: Axes | None = None,
    class_: Any = None,
    top_k: int = 15,
    stacked: bool | None = None,
    confidence: float | None = None,
) -> Axes:
    """Draw the importance of the most important features as horizontal bars.

    On the bars of a permutation importance, a line shows one standard deviation of the repeats in each direction.

    Parameters
    ----------
    explanation : ModelExplanation, Explanation or Run
        What is drawn.
    ax : matplotlib Axes, optional
        Where to draw; default: a new pyplot figure.
    class_ : object, optional
        Label of a class whose importance is shown; default: the mean over classes.
    top_k : int, default 15
        Features shown.
    stacked : bool, optional
        If True, divide each bar by class: its length is the mean over classes, and each piece is a class's part of it.
        Default: True for three or more classes, unless intervals are drawn.
    confidence : float, optional
        Draw the bootstrap interval of each bar at this level, such as 0.95: see `Explanation.global_importance`.

    Returns
    -------
    matplotlib Axes
        The Axes drawn on; its figure is ``ax.figure``.

    Raises
    ------
    InvalidInputError
        If the class is unknown, `top_k` is less than 1, or this is not an explanation.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from automl_explain import explain_model, plot_global_importance
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> explained = explain_model(LogisticRegression(max_iter=1000).fit(X, y), X, X)
    >>> ax = plot_global_importance(explained, top_k=3)
    >>> len(ax.get_yticks())
    3
    """
    explanation = explanation_of(explanation)
    top_k = check_top_k(top_k)
    position = None if class_ is None else class_position(explanation, class_)
    values = explanation.global_importance_values if position is None else explanation.per_class_values[position]
    order = ranking(values)[:top_k]
    if stacked and confidence is not None:
        raise InvalidInputError("Intervals are drawn on whole bars. Pass either 'confidence' or stacked=True.")
    parts = _class_parts(explanation, False if confidence is not None else stacked) if position is None else None
    ax = ax or new_axes(rows_needed(explanation, top_k) if parts is not None else len(order))
    if parts is None:
        ax.barh(np.arange(len(order)), values[order], height=BAR_HEIGHT, color=BAR_COLOR, zorder=2)
        spread = _spread(explanation, position, confidence)
        ends = None if spread is None else (spread[0][order], spread[1][order])
        if ends is not None:
            ax.hlines(np.arange(len(order)), *ends, color=NEUTRAL_COLOR, linewidth=1.6, zorder=3)
        label_bars(ax, values[order], ends=ends)
    else:
        labels = [class_text(explanation, c) for c in range(len(parts))]
        room, _ = stack_bars(ax, parts[:, order], labels, ("class", "classes"))
        label_bars(ax, values[order], room)
    name_rows(ax, [explanation.feature_labels[j] for j in order])
    finish(ax, *_importance_words(explanation, position, len(order), confidence))
    return ax


@checked
def plot_summary(
    explanation: Any,
    *,
    ax: Axes | None = None,
    class_: Any = None,
    top_k: int = 15,
) -> Axes:
    """Draw the contributions of all rows: a point per row and feature, coloured by the feature's value.

    Parameters
    ----------
    explanation : ModelExplanation, Explanation or Run
        With local values. Without stored data, all points have the same colour.
    ax : matplotlib Axes, optional
        Where to draw; default: a new pyplot figure.
    class_ : object, optional
        Label of the class; default: the second, positive class of two, or, of several, the class with the largest
        contributions. The title names it.
    top_k : int, default 15
        Features shown, most important for the class first.

    Returns
    -------
    matplotlib Axes
        The Axes drawn on; its figure is ``ax.figure``.

    Raises
    ------
    InvalidInputError
        If the class is unknown, `top_k` is less than 1, there are no local values, or this is not an explanation.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import explain_model, plot_summary
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> plot_summary(explain_model(Ridge().fit(X, y), X, X)).get_xlabel()
    'contribution to the response'
    """
    explanation = explanation_of(explanation)
    top_k = check_top_k(top_k)
    view = _view(explanation, class_)
    order = ranking(np.abs(view.values).mean(axis=0))[:top_k]
    n_rows = len(view.values)
    rows = np.unique(np.linspace(0, n_rows - 1, min(n_rows, MOST_POINTS)).astype(np.intp))
    ax = ax or new_axes(len(order), row_inches=0.36)
    ax.axvline(0, color=RULE_COLOR, linewidth=1, zorder=1)
    legends = _points(ax, view, order, rows)
    name_rows(ax, [explanation.feature_labels[j] for j in order])
    of = f" for class {shortened(view.label, 24)}" if view.label else ""
    count = f"{n_rows:,} rows" if len(rows) == n_rows else f"{len(rows):,} of {n_rows:,} rows"
    finish(ax, f"Contributions{of}", count, "\n".join([f"contribution to the {view.unit}", *legends]))
    return ax


@checked
def plot_local(
    explanation: Any,
    row: int = 0,
    *,
    ax: Axes | None = None,
    class_: Any = None,
    top_k: int = 10,
) -> Axes:
    """Draw the steps of one prediction, feature by feature, from the expected value to the output.

    Parameters
    ----------
    explanation : ModelExplanation, Explanation or Run
        With local values.
    row : int, default 0
        Number of the explained row, from 0; negative numbers count from the end.
    ax : matplotlib Axes, optional
        Where to draw; default: a new pyplot figure.
    class_ : object, optional
        Label of the class; default: the second, positive class of two, or, of several, the class with the highest output
        for this row. The title names it.
    top_k : int, default 10
        Features shown, largest contributions first; one bar shows the sum of the others.

    Returns
    -------
    matplotlib Axes
        The Axes drawn on; its figure is ``ax.figure``.

    Raises
    ------
    InvalidInputError
        If the row or class is unknown, `top_k` is less than 1, there are no local values, or this is not an explanation.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import explain_model, plot_local
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> plot_local(explain_model(Ridge().fit(X, y), X, X), row=3).get_xlabel()
    'response'
    """
    explanation = explanation_of(explanation)
    if not explanation.is_additive:
        raise InvalidInputError(
            f"The weights of {explanation.method}'s local models do not add up to a prediction, and cannot be drawn as its "
            "parts. See get_ranked_local_names and get_ranked_local_values, or explain with TabularExplainer."
        )
    top_k = check_top_k(top_k)
    position = None if class_ is None else class_position(explanation, class_)
    row = check_row(explanation, row)
    view = view_class(explanation, default_class(explanation, row) if position is None else position)
    steps = local_steps(view, row, top_k)
    ax = ax or new_axes(len(steps) + 2)
    _waterfall(ax, view.expected, steps)
    output = view.expected + sum(step.value for step in steps)
    change = f"expected {minus(number_text(view.expected))}, predicted {minus(number_text(output))}"
    of = f", class {shortened(view.label, 24)}" if view.label else ""
    finish(ax, f"Row {row}{of}", change, view.unit)
    return ax


# ----------------------------------------------------------------------------------------------------------- private


def _view(explanation: Explanation, class_: Any) -> ClassView:
    """The class asked for; an unknown label is reported before missing values."""
    if class_ is not None:
        return view_class(explanation, class_position(explanation, class_))
    local_values(explanation)
    return view_class(explanation, default_class(explanation))


def _spread(explanation: Explanation, position: int | None, confidence: float | None) -> tuple[Values, Values] | None:
    """Ends of the line on each bar: the interval asked for, or one standard deviation of a permutation importance."""
    if confidence is not None:
        found = explanation.global_importance(confidence=confidence)
        if position is None:
            return found.low, found.high
        assert found.class_low is not None
        assert found.class_high is not None
        return found.class_low[position], found.class_high[position]
    deviation = explanation.importances_std
    if deviation is None:
        return None
    return explanation.global_importance_values - deviation, explanation.global_importance_values + deviation


def _importance_words(
    explanation: Explanation, position: int | None, n_shown: int, confidence: float | None
) -> tuple[str, str, str]:
    """Title, its detail, and the label of the axis."""
    of = "" if position is None else f" for class {shortened(class_text(explanation, position), 24)}"
    shown = f"{n_shown} of {explanation.num_features} features" if n_shown < explanation.num_features else ""
    mean = "mean over classes of " if position is None and explanation.is_classification else ""
    label = explanation.traits.importance.format(unit=output_text(explanation))
    line = "" if explanation.importances_std is None else "; line: one standard deviation"
    line = line if confidence is None else f"; line: {confidence:.0%} interval"
    return f"Feature importance{of}", shown, f"{mean}{label}{line}"


def _class_parts(explanation: Explanation, stacked: bool | None) -> Values | None:
    """The part of each class in the mean over classes, (C, f); None for bars of one piece."""
    n_classes = len(explanation.classes or ())
    known = explanation.local_importance_values is not None or explanation.class_values is not None
    if stacked and not (n_classes and known):
        raise InvalidInputError(
            "The 'stacked' parameter needs importance per class, which this explanation does not have."
        )
    wanted = n_classes > 2 and known if stacked is None else stacked
    return explanation.per_class_values / n_classes if wanted else None


def rows_needed(explanation: Explanation, top_k: int) -> int:
    """Return the number of rows of a figure that has room for the bars and the legend of classes."""
    n_classes = len(explanation.classes or ())
    legend = legend_rows(n_classes) if n_classes > 2 else 0
    return max(min(top_k, explanation.num_features), legend)


def _points(ax: Axes, view: ClassView, order: Positions, rows: Positions) -> list[str]:
    """Draw the points of each feature, and return the meaning of marks and of grey."""
    values = view.values[np.ix_(rows, order)]
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    margin = 0.04 * (high - low) or 1.0
    data = data_of(view.explanation)
    data = None if data is None else data.take(rows)
    about = {
        "s": float(np.clip(16000 / len(rows), 7, 26)),
        "linewidths": 0,
        "alpha": 0.85,
        "zorder": 2,
        "rasterized": True,
    }
    from matplotlib.colors import to_rgba

    colors, greys, legends, colored = color_map(), set(), [], False
    for place, j in enumerate(order):
        x = values[:, place]
        y = place + offsets(x, low - margin, high + margin)
        shade = None if data is None else shades(data, int(j))
        if data is None or shade is None:
            ax.scatter(x, y, c=BAR_COLOR, **about)  # type: ignore[arg-type]
        elif shade.grey == "categories":
            found = marks(data, int(j))
            _marked(ax, x, y, found, about)
            if found.names:
                legends.append(found.legend(view.explanation.feature_labels[j]))
            greys.add(found.grey)
        else:
            known = np.isfinite(shade.ranks)
            greys.add(shade.grey)
            colored = colored or bool(known.any())
            face = np.where(known[:, None], colors(np.where(known, shade.ranks, 0.0)), to_rgba(NEUTRAL_COLOR))
            ax.scatter(x, y, c=face, **about)  # type: ignore[arg-type]
    ax.set_xlim(low - margin, high + margin)
    if colored:
        add_color_bar(ax)
    grey = ", ".join(sorted(greys - {""}))
    return [*legends[:MOST_LEGENDS], *([f"grey: {grey}"] if grey else [])]


def _marked(ax: Axes, x: Values, y: Values, found: Marks, about: dict[str, Any]) -> None:
    """Draw categories with a mark and a colour each, the most frequent ones first."""
    for k in range(-1, len(found.names)):
        own = found.places == k
        if own.any():
            color, marker = (NEUTRAL_COLOR, "o") if k < 0 else (CLASS_COLORS[k], MARKS[k][0])
            ax.scatter(x[own], y[own], c=color, marker=marker, **about)


def _waterfall(ax: Axes, expected: float, steps: list[Step]) -> None:
    """Draw bars from the expected value at the top to the output at the bottom; each begins where the one above ends."""
    values, errors = (np.array([getattr(step, name) for step in steps]) for name in ("value", "error"))
    ends = expected + np.cumsum(values)
    starts, rising, last = ends - values, values >= 0, len(steps) + 1
    tips = ends + np.where(rising, errors, -errors)
    low, high = min(expected, ends.min(), tips.min()), max(expected, ends.max(), tips.max())
    width = (high - low) or 0.1 * max(abs(high), 1.0)
    right, left = label_room(ax), 0.03 if rising.all() else label_room(ax)
    unit = width / (1 - left - right)
    ax.set_xlim(low - left * unit, high + right * unit)
    rows = np.arange(1, last)
    colors = np.where(rising, BAR_COLOR, LOWERING_COLOR)
    ax.barh(rows, values, left=starts, height=BAR_HEIGHT, color=colors, zorder=2)
    joints = np.concatenate([[expected], ends])
    ax.vlines(joints, np.arange(last), np.arange(1, last + 1), color=RULE_COLOR, linewidth=1, zorder=1)
    if errors.any():
        ax.errorbar(ends, rows, xerr=errors, fmt="none", ecolor=NEUTRAL_COLOR, elinewidth=1, capsize=2.5, zorder=3)
    for row, (value, tip, up) in enumerate(zip(values, tips, rising, strict=True), start=1):
        shown = value if abs(value) > 1e-9 * width else 0.0
        write_beside(ax, float(tip), row, number_text(shown, signed=True), to_right=bool(up))
    for place, x in ((0, expected), (last, float(ends[-1]))):
        ax.plot([x], [place], marker="D", markersize=5, color=NEUTRAL_COLOR, zorder=3)
        write_beside(ax, x, place, number_text(x), to_right=True, gap=10, bold=True)
    name_rows(ax, ["expected value", *(step.label for step in steps), "output"], width=STEP_WIDTH)
