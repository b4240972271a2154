"""How good the predictions of the explained rows are, for a model whose true labels were kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl_explain.display._performance import Performance, measure
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._text_table import TextTable
from automl_explain.plots._performance_plots import HEIGHT, plot_residuals
from automl_explain.report._facts import Model
from automl_explain.report._picture import Picture, draw


@dataclass(frozen=True)
class PerformanceView:
    """Scores, confusion or residuals, and the best and the worst rows.

    Parameters
    ----------
    model : Model
    headline : str
        The scores in a sentence.
    tables : tuple of (str, TextTable)
        Each with its heading.
    picture : Picture or None
        Residuals over predictions, of a regression.
    """

    model: Model
    headline: str
    tables: tuple[tuple[str, TextTable], ...]
    picture: Picture | None


def view_performance(models: Sequence[Model]) -> PerformanceView | None:
    """Return the performance of the first model whose true labels are known; None if there is none."""
    model = next((one for one in models if one.labels is not None and isinstance(one.full, Explanation)), None)
    if model is None:
        return None
    found = measure(model.explanation, model.labels)
    return PerformanceView(model, found.headline, tuple(found.tables), _residuals(found))


def _residuals(found: Performance) -> Picture | None:
    if found.confusion is not None:
        return None
    return draw(
        lambda ax: plot_residuals(found, ax=ax),
        HEIGHT,
        alt="Residuals over predictions.",
        caption="Each point is one row: truth minus prediction, over the prediction. Points above the line were predicted "
        "too low.",
    )
