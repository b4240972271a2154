"""What the runs of a search show together, for the report."""

from __future__ import annotations

from dataclasses import dataclass

from automl_explain.analysis._search_explanation import SearchExplanation
from automl_explain.display._findings import search_table
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.formatting._text_table import TextTable
from automl_explain.plots._search_plots import plot_importance_history, plot_search_importance
from automl_explain.report._facts import Story
from automl_explain.report._picture import Picture, draw

SHOWN = 12
"""Features of a picture and of the table."""
FEWEST = 3
"""Comparable runs below which there is nothing to tell."""


@dataclass(frozen=True)
class SearchView:
    """Findings over all runs in sentences, pictures of them, and the importance over near-best runs as a table."""

    sentences: tuple[str, ...]
    pictures: tuple[Picture, ...]
    table: TextTable


def view_search(story: Story) -> SearchView | None:
    """Return what the runs show together; None for fewer than three comparable runs."""
    usable = [run for run in story.runs if run.status == "explained" and run.loss is not None]
    if len(usable) < FEWEST:
        return None
    try:
        taught = SearchExplanation.from_runs(usable, progress=False)
    except InvalidInputError:  # none of the explanations can be read; the section of the models says so
        return None
    if len(taught.runs) < FEWEST:
        return None
    names = ", ".join(map(str, taught.importance.index[:3]))
    pictures = (
        draw(
            lambda ax: plot_search_importance(taught, ax=ax, top_k=SHOWN),
            min(SHOWN, len(taught.features)),
            alt=f"Importance of each feature over the near-best runs. Most important first: {names}.",
            caption="Each point is a near-best run. The grey band is their range, the vertical mark their mean.",
        ),
        draw(
            lambda ax: plot_importance_history(taught, ax=ax),
            9,
            alt=f"Importance of the features {names} and others in each run, in the order of the search.",
            caption="Each point is a run; the line follows the best run so far. Ticks at the bottom mark new best runs.",
        ),
    )
    return SearchView(tuple(taught.sentences()), pictures, search_table(taught.importance, taught.top_k, SHOWN))
