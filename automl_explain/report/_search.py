"""The report's section on what the runs of a search teach together."""

from __future__ import annotations

import base64

from automl_explain.analysis._search_explanation import SearchExplanation
from automl_explain.display._search_tables import search_table
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.plots._png import png
from automl_explain.plots._search_plots import plot_importance_history, plot_search_importance
from automl_explain.report._facts import Story
from automl_explain.report._sections import text

SHOWN = 12
"""Features of a picture and of the table."""
FEWEST = 3
"""Comparable runs below which there is nothing to tell."""


def search_section(story: Story) -> str:
    """Return importance over the near-best runs, what they agree on, and how it changed; nothing for a few runs."""
    usable = [run for run in story.runs if run.status == "explained" and run.loss is not None]
    if len(usable) < FEWEST:
        return ""
    try:
        taught = SearchExplanation.from_runs(usable, progress=False)
    except InvalidInputError:  # not one of their explanations can be read; the models' sections say so
        return ""
    if len(taught.runs) < FEWEST:
        return ""
    items = "".join(f"<li>{text(sentence)}</li>" for sentence in taught.sentences())
    n_rows = min(SHOWN, len(taught.features))
    names = ", ".join(map(str, taught.importance.index[:3]))
    pictures = _figure(
        png(lambda ax: plot_search_importance(taught, ax=ax, top_k=SHOWN), n_rows, background="none"),
        f"Importance of each feature over the near-best runs. Most important first: {names}.",
        "A point is a near-best run, the grey band their range, the upright mark their mean.",
    ) + _figure(
        png(lambda ax: plot_importance_history(taught, ax=ax), 9, background="none"),
        f"Importance of the features {names} and others in each run, in the order of the search.",
        "A point is a run, a line the best run so far; ticks at the bottom are runs that were better than all before.",
    )
    return (
        '<section id="search"><h2>What the runs teach together</h2><p class="soft small">A feature\'s share is its part of all '
        "importance of a run, so that runs in different units compare.</p>"
        f'<ul class="findings">{items}</ul>{pictures}<details><summary>the same as a table</summary>'
        f'<div class="wide">{search_table(taught, SHOWN)}</div></details></section>'
    )


def _figure(picture: bytes, alt: str, caption: str) -> str:
    source = base64.b64encode(picture).decode()
    return (
        f'<figure><div class="wide"><img src="data:image/png;base64,{source}" alt="{text(alt)}"></div>'
        f"<figcaption>{text(caption)}</figcaption></figure>"
    )
