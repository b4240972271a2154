"""``automl-explain report``: the HTML report of a search that has ended."""

from __future__ import annotations

import argparse

from automl_explain.cli._command import Command, newest_search, open_history, print_json


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("search", nargs="?", metavar="SEARCH", help="id of a search (default: the newest one)")
    parser.add_argument("--out", default="report.html", metavar="FILE", help="file to write (default: report.html)")


def _act(options: argparse.Namespace) -> None:
    from automl_explain.report._write import write_report

    history = open_history(options)
    search = options.search or newest_search(history)
    history.search(search)
    write_report(options.out, history.runs(search))
    if options.json:
        print_json({"search": search, "report": str(options.out)})
    else:
        print(f"wrote {options.out}")


COMMAND = Command(
    name="report",
    summary="write the HTML report of a search again",
    description="Write the report of a search from the run history, as one HTML file that needs no other file and no network.",
    examples=("report", "report --out march.html"),
    add_arguments=_add_arguments,
    act=_act,
)
