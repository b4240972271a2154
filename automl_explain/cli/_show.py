"""``automl-explain show``: the explanation of one run."""

from __future__ import annotations

import argparse

from automl_explain.cli._command import Command, at_least, open_history, print_json


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="id of a run, the beginning of one, or a search: its final run")
    parser.add_argument(
        "--row", metavar="N", help="explain one row: its number from 0, or its label if that is no number"
    )
    parser.add_argument("--label", metavar="L", help="explain the row with this label in the table's index")
    parser.add_argument("--class", dest="class_", metavar="C", help="with --row, the class whose values are shown")
    parser.add_argument("--top", type=at_least(1), default=10, metavar="K", help="number of features (default: 10)")


def _act(options: argparse.Namespace) -> None:
    from automl_explain._explain_model import retrieve_model_explanation
    from automl_explain.integrations.history._run import final_of
    from automl_explain.search._job import explanation_as_dict

    history = open_history(options)
    run = history.run(options.run) if options.run not in history.searches() else final_of(history.runs(options.run))
    assert run is not None  # a search has runs
    explained = retrieve_model_explanation(run)
    if options.row is not None or options.label is not None:
        from automl_explain.display._row_view import explain_row

        shown = explain_row(explained.explanation, _row(options.row), options.class_, label=options.label)
        if options.json:
            print_json({"run": run.as_dict(), **shown.as_dict(options.top)})
        else:
            print(shown.as_text(options.top))
    elif options.json:
        known = {} if explained.true_labels is None else {"performance": explained.performance().as_dict()}
        print_json({"run": run.as_dict(), "scores": run.scores, **explanation_as_dict(explained), **known})
    else:
        from automl_explain.display._directions import directions_text
        from automl_explain.display._text_tables import members_table, runs_text, six_values_tables
        from automl_explain.explainers.formatting._numbers import number_text

        print(runs_text([run], of=history.runs(run.search)))
        if run.scores:
            print("validation rows:", ", ".join(f"{name} {number_text(value)}" for name, value in run.scores.items()))
        print()
        print(six_values_tables(explained, top=options.top))
        if said := directions_text(explained, options.top):
            print(f"\n{said}")
        if explained.members is not None:
            print()
            print(members_table(explained.members, top=options.top))
        if explained.true_labels is not None:
            print(f"\nthe rows explained, with their true labels\n{explained.performance().as_text()}")


def _row(text: str | None) -> int | str | None:
    """Read a row's number; any other text is a label."""
    return int(text) if text is not None and text.removeprefix("-").isdecimal() else text


COMMAND = Command(
    name="show",
    summary="print the explanation of a run, or of one row",
    description="Print the explanation of a run: importance by feature, overall and by class, and for an ensemble "
    "the contribution of each member. `automl-explain runs` lists the ids.",
    examples=("show 9f3c2a1b-0004 --top 5", "show 9f3c2a1b-0004 --row 17 --class yes", "show 9f3c2a1b-0004 --json"),
    add_arguments=_add_arguments,
    act=_act,
)
