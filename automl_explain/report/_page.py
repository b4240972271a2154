"""The whole report as data, and as one HTML file that needs no other file and no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from automl_explain.display._class_view import output_text
from automl_explain.display._unexplained import Unexplained, unexplained
from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.formatting._numbers import NONE, loss_text
from automl_explain.explainers.stored._any_explanation import AnyExplanation
from automl_explain.integrations.history._scores import score_name
from automl_explain.report._facts import Model, Story
from automl_explain.report._findings import first_look
from automl_explain.report._members import MembersView, view_members
from automl_explain.report._method import FactBlock, view_method
from automl_explain.report._models import ModelView, view_model
from automl_explain.report._performance import PerformanceView, view_performance
from automl_explain.report._rows import RowsView, view_rows
from automl_explain.report._runs import RunsView, view_runs
from automl_explain.report._search import SearchView, view_search
from automl_explain.report._words import WordsView, view_words

if TYPE_CHECKING:
    from markupsafe import Markup

MOST_STEPS = 10
"""Contributions shown of a single row, unless fewer are asked for."""


@dataclass(frozen=True)
class Card:
    """A figure at the top of the page, with a small line below it."""

    name: str
    value: str
    small: str = ""


@dataclass(frozen=True, eq=False)
class ReportPage:
    """Everything that the report shows.

    Parameters
    ----------
    title : str
    story : Story
    origin : tuple of str
        Engine, task, metric, rows and date of the search.
    cards : tuple of Card
    findings : list of str
        What to look at first.
    models : tuple of ModelView
    members : MembersView or None
    words : tuple of WordsView
        Of columns of texts whose words were explained.
    rows : RowsView or None
    performance : PerformanceView or None
        None if no true labels were kept.
    examples : Markup or None
        Single texts or images with their values, as HTML in which everything is escaped.
    search : SearchView or None
    runs : RunsView or None
    groups : list of Unexplained
    method : tuple of FactBlock
    version : str
        The version of automl-explain that made the search; empty if it is not known.
    dashboard : str
        Address of a dashboard; empty without one.
    """

    title: str
    story: Story
    origin: tuple[str, ...]
    cards: tuple[Card, ...]
    findings: list[str]
    models: tuple[ModelView, ...]
    members: MembersView | None
    words: tuple[WordsView, ...]
    rows: RowsView | None
    performance: PerformanceView | None
    examples: Markup | None
    search: SearchView | None
    runs: RunsView | None
    groups: list[Unexplained]
    method: tuple[FactBlock, ...]
    version: str
    dashboard: str = ""

    @property
    def contents(self) -> Iterator[tuple[str, str]]:
        """Id and name of each section, in the order of the page."""
        models = [(f"model-{view.place}", view.model.name) for view in self.models]
        yield from models[:1]
        yield from ((view.place, f"Words of {view.column}") for view in self.words)
        optional = (
            ("members", "Members", self.members),
            ("rows", "Single rows", self.rows),
            ("performance", "How good it is", self.performance),
            ("examples", "Single examples", self.examples),
        )
        yield from ((place, name) for place, name, view in optional if view is not None)
        yield from models[1:]
        if self.search is not None:
            yield "search", "Runs together"
        if self.runs is not None:
            yield from (("runs", "All runs"), ("unexplained", "Not explained"))
        yield "method", "How it was computed"


def make_page(story: Story, title: str | None, top_k: int, rows: int) -> ReportPage:
    """Return what the report shows of a search.

    Parameters
    ----------
    story : Story
    title : str or None
        Heading; None for one that names the search.
    top_k : int
        Features shown of each model.
    rows : int
        Rows shown from either end.
    """
    first = story.models[0] if story.models else None
    return ReportPage(
        title=title
        or (f"Explanations of search {story.search['id']}" if story.is_search else "Explanation of a model"),
        story=story,
        origin=_origin(story) if story.is_search else (),
        cards=_cards(story) if story.is_search else _model_cards(story.models[0]),
        findings=first_look(story),
        models=tuple(view_model(model, place, top_k) for place, model in enumerate(story.models)),
        members=None if first is None else view_members(first, top_k),
        words=() if first is None else view_words(first, top_k),
        rows=None if first is None else view_rows(first, rows, min(top_k, MOST_STEPS)),
        performance=view_performance(story.models),
        examples=None if first is None else _examples(first.full),
        search=view_search(story) if story.is_search else None,
        runs=view_runs(story) if story.is_search else None,
        groups=unexplained(story.runs),
        method=view_method(story),
        version=str(story.facts.get("versions", {}).get("automl-explain", "")),
    )


def _examples(explanation: AnyExplanation) -> Markup | None:
    """Return single examples as HTML, which the explanation's own templates have escaped; None for a table."""
    from markupsafe import Markup

    return Markup(explanation.examples_html()) or None


def page_html(page: ReportPage) -> str:
    """Return the page as HTML."""
    return render("report.html", __package__ or "", page=page, story=page.story)


def _model_cards(model: Model) -> tuple[Card, ...]:
    explanation, error, nouns = model.explanation, model.full.additivity_error, model.full.nouns
    return (
        Card(f"{nouns.example}s", f"{model.full.num_examples:,}"),
        Card(f"{nouns.feature}s", f"{explanation.num_features:,}"),
        *((Card("classes", f"{len(explanation.classes):,}"),) if explanation.classes is not None else ()),
        Card("method", explanation.method),
        Card("unit of the values", output_text(explanation)),
        *((Card("additivity error", f"{error:.1e}"),) if error is not None else ()),
    )


def _origin(story: Story) -> tuple[str, ...]:
    search = story.search
    rows = ", ".join(
        f"{count:,} {name} rows"
        for name in ("training", "validation")
        if isinstance(count := story.facts.get(f"{name}_rows"), int)
    )
    made = datetime.fromtimestamp(search["created"], UTC).strftime("%Y-%m-%d %H:%M UTC")
    parts = (f"engine {search['engine']}", f"task {search['task']}", f"metric {story.metric}", rows, made)
    return tuple(part for part in parts if part)


def _score_card(story: Story) -> Card:
    """The score of the best run; its loss where the score is not known."""
    best = story.best
    if best is None or best.score is None:
        return Card("best loss", loss_text(None if best is None else best.loss), f"metric {story.metric}")
    return Card(f"best {score_name(best.metric)}", loss_text(best.score), f"loss {loss_text(best.loss)}")


def _cards(story: Story) -> tuple[Card, ...]:
    best, n_runs, n_explained = story.best, len(story.runs), story.count("explained")
    details = ", ".join(
        f"{n} {status}" for status in ("skipped", "failed", "interrupted", "captured") if (n := story.count(status))
    )
    seconds = story.facts.get("search_seconds")
    search = f"; search {seconds:.1f} s" if isinstance(seconds, int | float) else ""
    return (
        _score_card(story),
        Card("best learner", *((NONE, "") if best is None else (best.learner, best.id))),
        Card("runs", f"{n_runs:,}"),
        Card("explained", f"{n_explained:,}", f"of {n_runs:,}"),
        Card("not explained", f"{n_runs - n_explained:,}", details),
        Card("explaining", f"{sum(run.seconds or 0.0 for run in story.runs):.1f} s", f"sum over runs{search}"),
    )
