"""A model in full: the importance of its features, overall and per class, and how each feature acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_explain.display._class_view import Values, class_text, data_of, output_text, view_class
from automl_explain.display._directions import is_column_of_texts, series_of
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.formatting._bars import Bar, bars
from automl_explain.explainers.formatting._names import counted
from automl_explain.plots._dependence import plot_dependence
from automl_explain.plots._explanation_plots import plot_summary
from automl_explain.report._facts import TOP, Model
from automl_explain.report._picture import Picture, draw

MOST_CLASSES = 12
"""Classes with a column of their own in a table of importance."""
MOST_PICTURES = 3
"""Classes with a beeswarm of their own."""
CURVE_ROWS = 8
"""Height of the picture of one feature, in rows of a bar plot."""
HEAT = 0.45
"""Opacity behind the largest importance of a class."""


@dataclass(frozen=True)
class HeatCell:
    """The importance of a feature for one class, and the opacity of the colour behind it."""

    value: float
    heat: float


@dataclass(frozen=True)
class Importance:
    """The most important features.

    Parameters
    ----------
    noun : str
        What a feature is called.
    caption : str
        What the numbers are.
    classes : tuple of str
        Heads of the columns of single classes; empty where these say nothing more.
    rows : tuple of (Bar, tuple of HeatCell)
        Of each feature, the overall importance and that for each class.
    more : str
        What is not shown; empty when nothing is missing.
    """

    noun: str
    caption: str
    classes: tuple[str, ...]
    rows: tuple[tuple[Bar, tuple[HeatCell, ...]], ...]
    more: str


@dataclass(frozen=True)
class Beeswarm:
    """A beeswarm, and the class that it shows; empty for a regression."""

    label: str
    picture: Picture


@dataclass(frozen=True)
class ModelView:
    """A model that the report shows in full.

    Parameters
    ----------
    place : int
        Its number among the models shown.
    model : Model
    remarks : tuple of str
        Why its method was chosen, and its notes.
    importance : Importance
    beeswarms : tuple of Beeswarm
        The first is shown, the others are folded.
    curves : tuple of Picture
        Contribution over the values of the most important features.
    """

    place: int
    model: Model
    remarks: tuple[str, ...]
    importance: Importance
    beeswarms: tuple[Beeswarm, ...]
    curves: tuple[Picture, ...] = ()


def view_model(model: Model, place: int, top_k: int) -> ModelView:
    """Return a model's importance and beeswarms: of up to three classes for the first model, of one for others."""
    explanation = model.explanation
    remarks = tuple(remark for remark in (explanation.reason, *explanation.notes) if remark)
    swarms: tuple[Beeswarm, ...] = ()
    if explanation.local_importance_values is not None and explanation.num_examples:
        shown = _pictured(explanation)[: 1 if place else None]
        swarms = tuple(
            Beeswarm(class_text(explanation, position), _beeswarm(explanation, position, top_k)) for position in shown
        )
    curves = _curves(explanation) if swarms and not place else ()
    return ModelView(place, model, remarks, importance(explanation, top_k, model.full.nouns.feature), swarms, curves)


def _curves(explanation: Explanation) -> tuple[Picture, ...]:
    """Return how the contributions of the most important features follow their values, for the class of the first beeswarm.

    Columns of texts have none: each of their cells is another one.
    """
    data, position = data_of(explanation), _pictured(explanation)[0]
    if data is None:
        return ()
    label = None if position is None or explanation.classes is None else explanation.classes[position]
    view = view_class(explanation, position)
    sizes = np.abs(view.values).mean(axis=0)
    shown = [int(j) for j in ranking(sizes)[:TOP] if sizes[j] > 0]
    return tuple(_curve(explanation, j, label, view.unit) for j in shown if not is_column_of_texts(series_of(data, j)))


def _curve(explanation: Explanation, j: int, label: Any, unit: str) -> Picture:
    name = explanation.feature_labels[j]
    return draw(
        lambda ax: plot_dependence(explanation, j, ax=ax, class_=label),
        CURVE_ROWS,
        alt=f"Contribution of {name} to the {unit} over its values.",
        caption=f"Each point is one row: the contribution of {name} to the {unit} over its value. The colour is that of "
        "the feature with the strongest interaction, if there is one.",
    )


def importance(explanation: Explanation, top_k: int, noun: str = "feature") -> Importance:
    """Return the most important features, called by a noun, with a bar each, and a column per class."""
    values = explanation.global_importance_values
    order = ranking(values)[:top_k]
    classes, n_hidden = _class_columns(explanation)
    alike = len(classes) > 1 and all(np.allclose(column, values, atol=0.0) for column in classes.values())
    classes = {} if alike else classes
    peak = max((float(np.abs(column).max(initial=0.0)) for column in classes.values()), default=0.0) or 1.0
    cells = [tuple(HeatCell(float(c[j]), HEAT * abs(float(c[j])) / peak) for c in classes.values()) for j in order]
    overall = bars([explanation.feature_labels[j] for j in order], values[order])
    what = explanation.traits.importance.format(unit=output_text(explanation))
    mean = "; overall: the mean over classes" if classes else "; the same for each class" if alike else ""
    left = len(values) - len(order)
    more = [f"{counted(left, f'less important {noun}')} not shown"] if left else []
    more += (
        [f"{counted(n_hidden, 'class') if n_hidden == 1 else f'{n_hidden:,} classes'} not shown"] if n_hidden else []
    )
    return Importance(
        noun,
        f"{what}{mean}",
        tuple(class_text(explanation, j) for j in classes),
        tuple(zip(overall, cells, strict=True)),
        f"{'; '.join(more)}." if more else "",
    )


def _class_columns(explanation: Explanation) -> tuple[dict[int, Values], int]:
    """Values of each class that has a column, by its number, and how many classes have none."""
    known = explanation.local_importance_values is not None or explanation.class_values is not None
    if not explanation.is_classification or not known:
        return {}, 0
    values = explanation.per_class_values
    return dict(enumerate(values[:MOST_CLASSES])), max(0, len(values) - MOST_CLASSES)


def _pictured(explanation: Explanation) -> list[int | None]:
    """The classes that have a beeswarm: the positive one of two; of several, those that the features move most."""
    if explanation.classes is None:
        return [None]
    if len(explanation.classes) <= 2:
        return [len(explanation.classes) - 1]
    return [int(j) for j in ranking(explanation.per_class_values.sum(axis=1))[:MOST_PICTURES]]


def _beeswarm(explanation: Explanation, position: int | None, top_k: int) -> Picture:
    label = None if position is None or explanation.classes is None else explanation.classes[position]
    view = view_class(explanation, position)
    names = [explanation.feature_labels[j] for j in ranking(np.abs(view.values).mean(axis=0))[:TOP]]
    return draw(
        lambda ax: plot_summary(explanation, ax=ax, class_=label, top_k=top_k),
        min(top_k, explanation.num_features),
        alt=f"Beeswarm of the contributions to the {view.unit}. Most important first: {', '.join(names)}.",
        caption=f"Each point is one row. Its position is the contribution to the {view.unit}; its colour shows whether the "
        "feature's value is low or high among the rows.",
        row_inches=0.36,
    )
