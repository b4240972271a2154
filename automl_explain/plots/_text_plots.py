"""Plots of text explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from automl_explain.display._class_view import any_explanation_of, check_top_k
from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.formatting._colors import BAR_COLOR, INK_COLOR, LOWERING_COLOR, RULE_COLOR
from automl_explain.explainers.formatting._names import shortened, unit_text
from automl_explain.explainers.formatting._numbers import typeset_number
from automl_explain.explainers.text._explanation import TextExplanation
from automl_explain.explainers.text._html import class_shown
from automl_explain.plots._style import BAR_HEIGHT, finish, name_rows, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MEANING = {
    "shapley": "contribution to the {unit}",
    "local_linear": "weight of the local model ({unit})",
    "attention": "attention",
}
"""Kind of explanation -> what the values of words are."""


@checked
def plot_text(explanation: Any, text: int = 0, *, ax: Axes | None = None, class_: Any = None, top_k: int = 15) -> Axes:
    """Draw the values of the words of one text as bars, largest first, with standard errors of sampled values.

    Blue raises the output and orange lowers it. In a notebook, the explanation itself shows the whole text with its words
    in these colours.

    Parameters
    ----------
    explanation : TextExplanation, or a ModelExplanation or Run with one
        What is drawn.
    text : int, default 0
        Number of the text, from 0; negative numbers count from the end.
    ax : matplotlib Axes, optional
        Where to draw; default: a new pyplot figure.
    class_ : object, optional
        Label of the class; default: the second, positive class of two, or, of several, the predicted one.
    top_k : int, default 15
        Words shown.

    Returns
    -------
    matplotlib Axes
        The Axes drawn on; its figure is ``ax.figure``.

    Raises
    ------
    InvalidInputError
        If this is no explanation of texts, there is no such text or class, or `top_k` is less than 1.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from automl_explain import TextExplainer, plot_text
    >>> texts = ["good film", "bad film", "good plot", "a bad, bad plot"]
    >>> model = make_pipeline(TfidfVectorizer(), Ridge()).fit(texts, [4, 1, 5, 0])
    >>> plot_text(TextExplainer(model).explain_local(texts), 1).get_xlabel()
    'contribution to the response'
    """
    found = any_explanation_of(explanation)
    if not isinstance(found, TextExplanation):
        raise InvalidInputError(
            f"plot_text draws a TextExplanation, such as that of TextExplainer.explain_local. Got {type(found).__name__}."
        )
    top_k = check_top_k(top_k)
    document = found[text].documents[0]
    output = class_shown(document, found.classes) if class_ is None else _position(found, class_)
    values = document.values[output]
    order = np.argsort(-np.abs(values), kind="stable")[:top_k]
    ax = ax or new_axes(len(order))
    places, shown = np.arange(len(order)), values[order]
    ax.barh(
        places,
        shown,
        height=BAR_HEIGHT,
        color=[BAR_COLOR if value >= 0 else LOWERING_COLOR for value in shown],
        zorder=2,
    )
    if document.standard_errors is not None:
        errors = document.standard_errors[output][order]
        ax.errorbar(shown, places, xerr=errors, fmt="none", ecolor=INK_COLOR, elinewidth=1, capsize=2, zorder=3)
    ax.axvline(0, color=RULE_COLOR, linewidth=1, zorder=1)
    name_rows(ax, [document.words[j] for j in order] or ["(no words)"])
    unit = unit_text(found.output_space)
    unit = unit if found.classes is None else f"{unit} of class {shortened(found.classes[output], 24)}"
    total = "" if document.outputs is None else f"output {typeset_number(document.outputs[output])}, "
    detail = f"{total}without words {typeset_number(document.base_values[output])}"
    finish(ax, f"“{shortened(document.text or '(empty)', 40)}”", detail, MEANING[found.kind].format(unit=unit))
    return ax


def _position(explanation: TextExplanation, class_: Any) -> int:
    known = explanation.classes or ()
    if class_ not in known:
        raise InvalidInputError(f"The 'class_' parameter must be one of {list(known)}. Got {class_!r}.")
    return known.index(class_)
