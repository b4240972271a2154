"""``automl-explain runs``: the runs in the history, and what the runs of a search have in common."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from automl_explain.cli._command import Command, newest_search, open_history, print_json, share

if TYPE_CHECKING:
    from automl_explain.integrations.history._run_history import RunHistory


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--search", metavar="ID", help="runs of this search only")
    parser.add_argument(
        "--insight", action="store_true", help="summarise the runs of a search (default: of the newest one)"
    )
    parser.add_argument(
        "--tolerance",
        type=share,
        metavar="T",
        help="with --insight, near-best runs have a loss within T times the lowest loss (default: within one standard error "
        "of it, by folds or validation rows)",
    )


def _act(options: argparse.Namespace) -> None:
    history = open_history(options)
    if options.search:
        history.search(options.search)
    if options.insight:
        _print_insight(history, options)
        return
    runs = history.runs(options.search)
    if options.json:
        print_json([run.as_dict() for run in runs])
    elif not runs:
        print(f"no runs yet in {history.directory}; make some with: automl-explain demo")
    else:
        from automl_explain.display._text_tables import runs_text

        print(runs_text(runs))


def _print_insight(history: RunHistory, options: argparse.Namespace) -> None:
    from automl_explain.analysis._search_explanation import SearchExplanation

    search = options.search or newest_search(history)
    taught = SearchExplanation.from_runs(history.runs(search), tolerance=options.tolerance)
    if options.json:
        print_json({"search": search, **taught.as_dict()})
    else:
        print(taught.as_text())


COMMAND = Command(
    name="runs",
    summary="list runs, or summarise those of a search",
    description="List the runs in the history, with their loss, status and most important features. With "
    "--insight, summarise what the near-best runs of a search have in common: features that every good model "
    "needs, features that replace each other, and how learners differ.",
    examples=("runs", "runs --insight --tolerance 0.1"),
    add_arguments=_add_arguments,
    act=_act,
)
