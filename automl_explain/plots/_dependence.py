"""How a feature acts: its contribution over its values, and the interactions of pairs of features."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from automl_explain.analysis._partners import strongest_partner
from automl_explain.display._class_view import (
    ClassView,
    Positions,
    Values,
    check_top_k,
)
from automl_explain.display._directions import is_category, series_of, shown_values
from automl_explain.explainers._arguments import checked, nearest
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.formatting._colors import BAR_COLOR, CLASS_COLORS, NEUTRAL_COLOR, RULE_COLOR
from automl_explain.explainers.formatting._names import shortened
from automl_explain.explainers.formatting._numbers import cell_text, number_text
from automl_explain.explainers.tables._table import Table
from automl_explain.plots._beeswarm import offsets, shades
from automl_explain.plots._style import NAME_WIDTH, add_color_bar, color_map, finish, name_rows, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CATEGORIES = 12
"""Categories with a place of their own, the most frequent first; the others share one."""
MOST_POINTS = 4000
"""Most rows drawn; of more rows, this many at equal distances."""
MOST_COLORS = 6
"""Categories of the second feature with a colour of their own."""
ROWS = 9
"""Height of a figure, in rows of a bar plot."""
LABEL_WIDTH = 46
"""Characters of a line of a vertical label, which is as long as a figure is high."""


@checked
def plot_dependence(
    explanation: Any,
    feature: Any,
    *,
    ax: Axes | None = None,
    class_: Any = None,
    color_by: Any = "auto",
) -> Axes:
    """Draw the contribution of a feature over its values: a point per row.

    Numbers and dates are on the horizontal axis. Categories have a place each, ordered by their mean contribution, which a
    line marks. Missing values have a place of their own.

    Parameters
    ----------
    explanation : ModelExplanation, Explanation or Run
        With local values and data.
    feature : str or int
        Name or position of the feature.
    ax : matplotlib Axes, optional
        Where to draw; default: a new pyplot figure.
    class_ : object, optional
        Label of the class; default: the second of two, or, of several, the one with the largest contributions.
    color_by : str, int or None, default "auto"
        The feature whose values colour the points. "auto" chooses the one with the strongest interaction: the one that
        explains most of the variance of the contributions among rows with similar values of the feature, or none if it
        explains less than 5 %. None: one colour.

    Returns
    -------
    matplotlib Axes
        The Axes drawn on; its figure is ``ax.figure``.

    Raises
    ------
    InvalidInputError
        If the feature or class is unknown, or there are no local values or no data.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import explain_model, plot_dependence
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> plot_dependence(explain_model(Ridge().fit(X, y), X, X), "bmi").get_xlabel()
    'bmi'
    """
    view, data = shown_values(explanation, class_)
    place = feature_position(view.explanation, feature)
    if isinstance(color_by, str) and color_by == "auto" and "auto" not in view.explanation.feature_labels:
        other = strongest_partner(view, place)
    else:
        other = None if color_by is None else feature_position(view.explanation, color_by)
    n_rows = len(view.values)
    rows = np.unique(np.linspace(0, n_rows - 1, min(n_rows, MOST_POINTS)).astype(np.intp))
    view = replace(view, values=view.values[rows])
    return (_categories if is_category(series_of(data, place)) else _numbers)(view, data.take(rows), place, other, ax)


def _categories(view: ClassView, data: Table, place: int, other: int | None, ax: Axes | None) -> Axes:
    """Draw a row of points for each category, with its mean."""
    values, series = view.values[:, place], series_of(data, place)
    texts = series.astype(object).map(cell_text).to_numpy()
    names = _ordered_categories(texts, values)
    ax = ax or new_axes(len(names), row_inches=0.45)
    at = np.array([names.index(text) if text in names else len(names) - 1 for text in texts])
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    y = at + np.concatenate([offsets(values[at == k], low, high) for k in range(len(names))])[_back(at)]
    ax.axvline(0, color=RULE_COLOR, linewidth=1, zorder=1)
    _scatter(ax, values, y, data, other, view)
    for k in range(len(names)):
        ax.vlines(values[at == k].mean(), k - 0.42, k + 0.42, color=NEUTRAL_COLOR, linewidth=1.6, zorder=3)
    name_rows(ax, names)
    finish(ax, _title(view, place), "line: mean", f"contribution to the {view.unit}")
    return ax


def _numbers(view: ClassView, data: Table, place: int, other: int | None, ax: Axes | None) -> Axes:
    """Draw the points over a horizontal axis of numbers or dates."""
    series = series_of(data, place)
    ax = ax or new_axes(ROWS)
    ax.axhline(0, color=RULE_COLOR, linewidth=1, zorder=1)
    x, missing = _places(series)
    _scatter(ax, x, view.values[:, place], data, other, view)
    ax.set_ylabel(textwrap.fill(f"contribution to the {view.unit}", LABEL_WIDTH), parse_math=False)
    detail = f"{missing:,} missing values at the left" if missing else ""
    finish(ax, _title(view, place), detail, shortened(view.explanation.feature_labels[place], 2 * NAME_WIDTH))
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        from matplotlib import dates

        locator = dates.AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib's own
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    return ax


def _title(view: ClassView, place: int) -> str:
    of = f" for class {shortened(view.label, 24)}" if view.label else ""
    return f"{shortened(view.explanation.feature_labels[place], NAME_WIDTH)}{of}"


@checked
def importance_by_category(explanation: Any, feature: Any, *, class_: Any = None) -> pd.DataFrame:
    """Return what each category of a feature contributes.

    Parameters
    ----------
    explanation : ModelExplanation, Explanation or Run
        With local values and data.
    feature : str or int
        Name or position of the feature. Numbers and dates are divided into four parts with about as many rows each.
    class_ : object, optional
        As in `plot_dependence`.

    Returns
    -------
    DataFrame
        A line per category, in descending order of ``mean``: ``rows``, the ``mean`` contribution with its sign, the mean
        absolute one as ``importance``, and ``low`` and ``high``, the smallest and the largest contribution.

    Raises
    ------
    InvalidInputError
        If there is no such feature or class, or the explanation has no rows.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import explain_model, importance_by_category
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> importance_by_category(explain_model(Ridge().fit(X, y), X, X), "sex")["rows"].tolist()
    [235, 207]
    """
    view, data = shown_values(explanation, class_)
    place = feature_position(view.explanation, feature)
    series, values = series_of(data, place), view.values[:, place]
    if is_category(series) or series.nunique(dropna=False) <= MOST_CATEGORIES:
        labels = series.astype(object).map(cell_text)
    else:
        labels = (
            pd.qcut(series, 4, duplicates="drop")
            .astype(object)
            .map(lambda part: "missing" if part != part else str(part))
        )
    grouped = pd.Series(values).groupby(labels.to_numpy())
    table = pd.DataFrame(
        {
            "rows": grouped.size(),
            "mean": grouped.mean(),
            "importance": pd.Series(np.abs(values)).groupby(labels.to_numpy()).mean(),
            "low": grouped.min(),
            "high": grouped.max(),
        }
    )
    name = view.explanation.feature_labels[place]
    return table.sort_values("mean", ascending=False, kind="stable").rename_axis(name)


@checked
def plot_interactions(
    values: Any,
    features: Any = None,
    *,
    ax: Axes | None = None,
    class_: int | None = None,
    top_k: int = 8,
) -> Axes:
    """Draw mean absolute interactions of pairs of features as a map; the diagonal has the main effects.

    Parameters
    ----------
    values : ndarray of shape (n, f, f) or (C, n, f, f)
        What `TreeExplainer.interaction_values` returns. The map shows the interaction of a pair as a whole, which is twice
        an element.
    features : sequence of str, optional
        Names of the f features, such as ``explainer.features``; default: x0, x1, ...
    ax : matplotlib Axes, optional
        Where to draw; default: a new pyplot figure.
    class_ : int, optional
        Number of the class; default: the last one.
    top_k : int, default 8
        Features shown, those with the largest effects and interactions.

    Returns
    -------
    matplotlib Axes
        The Axes drawn on; its figure is ``ax.figure``.

    Raises
    ------
    InvalidInputError
        If the array, the names or the class do not fit.

    Examples
    --------
    >>> from lightgbm import LGBMRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from automl_explain import TreeExplainer, plot_interactions
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> explainer = TreeExplainer(LGBMRegressor(n_estimators=10, verbose=-1).fit(X, y), X)
    >>> ax = plot_interactions(explainer.interaction_values(X[:20]), explainer.features, top_k=4)
    >>> len(ax.get_yticks())
    4
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.zeros(0)
    if array.ndim not in (3, 4) or array.shape[-1] != array.shape[-2] or not array.size:
        raise InvalidInputError(
            f"'values' must have the shape (n, f, f) or (C, n, f, f), as interaction_values returns. Got "
            f"{type(values).__name__} of shape {np.shape(array)}."
        )
    names = [f"x{j}" for j in range(array.shape[-1])] if features is None else [str(name) for name in features]
    if len(names) != array.shape[-1]:
        raise InvalidInputError(f"'features' must name {array.shape[-1]} features. Got {len(names)}.")
    if array.ndim == 4:
        if class_ is not None and not -len(array) <= class_ < len(array):
            raise InvalidInputError(
                f"'class_' must be the number of a class from 0 to {len(array) - 1}. Got {class_!r}."
            )
        array = array[-1 if class_ is None else class_]
    strengths = np.abs(array).mean(axis=0)
    strengths = strengths * (2.0 - np.eye(len(strengths)))
    order = ranking(strengths.sum(axis=1))[: check_top_k(top_k)]
    shown = strengths[np.ix_(order, order)]
    ax = ax or new_axes(len(order), row_inches=0.5)
    image = ax.imshow(
        np.where(np.tril(np.ones_like(shown)) > 0, shown, np.nan), cmap=color_map(), vmin=0.0, aspect="auto"
    )
    strongest = shown.max() or 1.0
    for i in range(len(order)):
        for j in range(i + 1):
            ink = "white" if shown[i, j] < 0.6 * strongest else "black"
            ax.text(j, i, number_text(shown[i, j]), ha="center", va="center", color=ink, fontsize="small")
    short = [shortened(names[j], 16) for j in order]
    name_rows(ax, [names[j] for j in order], 20)
    ax.set_xticks(range(len(order)), short, rotation=35, ha="right", rotation_mode="anchor", parse_math=False)
    figure = ax.get_figure(root=False)
    assert figure is not None
    figure.colorbar(image, ax=ax, aspect=35, pad=0.02).outline.set_visible(False)
    finish(ax, "Interactions", "diagonal: main effects", "mean |interaction|")
    ax.grid(visible=False)
    return ax


def feature_position(explanation: Explanation, feature: Any) -> int:
    """Return the number of a feature, given by its name or number.

    Raises
    ------
    InvalidInputError
        If there is no such feature.
    """
    labels = list(explanation.feature_labels)
    if str(feature) in labels:
        return labels.index(str(feature))
    if isinstance(feature, int | np.integer) and not isinstance(feature, bool) and 0 <= feature < len(labels):
        return int(feature)
    guess = nearest(str(feature), labels)
    hint = f" Did you mean {guess!r}?" if guess else f" There are: {', '.join(labels[:8])}."
    raise InvalidInputError(f"There is no feature {feature!r}.{hint}")


# ----------------------------------------------------------------------------------------------------------- private


def _ordered_categories(texts: Any, values: Values) -> list[str]:
    """The most frequent categories, by mean contribution; the others are the last one."""
    counts = pd.Series(texts).value_counts()
    common = counts.index[:MOST_CATEGORIES] if len(counts) > MOST_CATEGORIES + 1 else counts.index
    means = pd.Series(values).groupby(texts).mean()
    names = sorted(common, key=lambda text: -means[text])
    return [*names, f"{len(counts) - len(names)} others"] if len(names) < len(counts) else names


def _back(at: Positions) -> Positions:
    """Where each row is after the rows have been sorted by place, keeping their order."""
    order = np.argsort(at, kind="stable")
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return back


def _places(series: pd.Series) -> tuple[Any, int]:
    """Positions on the horizontal axis, missing values to the left of all others, and the number of these."""
    missing = series.isna().to_numpy()
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        x = (
            pd.DatetimeIndex(series).tz_localize(None)
            if getattr(series.dtype, "tz", None)
            else pd.DatetimeIndex(series)
        )
        low, high = (x.min(), x.max()) if not missing.all() else (pd.Timestamp(0), pd.Timestamp(1))
        return x.where(~missing, low - (high - low) / 12).to_numpy(), int(missing.sum())
    numbers = series.dt.total_seconds() if pd.api.types.is_timedelta64_dtype(series.dtype) else series
    x = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    missing = ~np.isfinite(x)
    low, high = (float(x[~missing].min()), float(x[~missing].max())) if not missing.all() else (0.0, 1.0)
    return np.where(missing, low - ((high - low) or 1.0) / 12, x), int(missing.sum())


def _scatter(ax: Axes, x: Any, y: Any, data: Table, other: int | None, view: ClassView) -> None:
    """Draw the points in the colours of a second feature, with their legend."""
    size = float(np.clip(12000 / len(x), 8, 26))
    about = {"s": size, "linewidths": 0, "alpha": 0.85, "zorder": 2, "rasterized": True}
    if other is None:
        ax.scatter(x, y, c=BAR_COLOR, **about)  # type: ignore[arg-type]
        return
    name = shortened(view.explanation.feature_labels[other], 18)
    series = series_of(data, other)
    if not is_category(series):
        shade = shades(data, other).ranks
        known = np.isfinite(shade)
        ax.scatter(x[~known], y[~known], c=NEUTRAL_COLOR, **about)  # type: ignore[arg-type]
        ax.scatter(x[known], y[known], c=color_map()(shade[known]), **about)  # type: ignore[arg-type]
        add_color_bar(ax, name)
        return
    texts = series.astype(object).map(cell_text).to_numpy()
    common = pd.Series(texts).value_counts().index.tolist()
    for text, color in zip(common[:MOST_COLORS], CLASS_COLORS, strict=False):
        ax.scatter(x[texts == text], y[texts == text], c=color, label=shortened(text, 18), **about)  # type: ignore[arg-type]
    rest = ~np.isin(texts, common[:MOST_COLORS])
    if rest.any():
        ax.scatter(x[rest], y[rest], c=NEUTRAL_COLOR, label="others", **about)  # type: ignore[arg-type]
    legend = ax.legend(title=name, frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    for words in (*legend.get_texts(), legend.get_title()):
        words.set_parse_math(False)
