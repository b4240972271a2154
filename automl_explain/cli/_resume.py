"""``automl-explain resume``: explain what was not explained of a search whose process died."""

from __future__ import annotations

import argparse

from automl_explain.cli._command import Command, open_history, print_json, seconds


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("search", metavar="SEARCH", help="id of a search that kept its models")
    parser.add_argument("--time-budget", type=seconds, metavar="S", help="seconds of explaining (default: an hour)")


def _act(options: argparse.Namespace) -> None:
    from automl_explain.display._text_tables import runs_text
    from automl_explain.integrations.searches._resume import resume_search

    runs = resume_search(options.search, open_history(options), time_budget=options.time_budget)
    if options.json:
        print_json([run.as_dict() for run in runs])
    else:
        print(runs_text(runs))


COMMAND = Command(
    name="resume",
    summary="explain what was not explained of a search that was killed",
    description="Explain the runs of a search that were not explained when its process was killed, from the models that it "
    "kept with --keep-models. They are loaded with pickle; files that were not written by a search of yours are not "
    "read. Models of runs that have no explanation then are kept for another try.",
    examples=("resume 3f9c2a1b", "resume 3f9c2a1b --time-budget 600"),
    add_arguments=_add_arguments,
    act=_act,
)
