"""``automl-explain dashboard``: the dashboard of a run, as a file or served on this machine."""

from __future__ import annotations

import argparse

from automl_explain.cli._command import Command, at_least, newest_search, open_history, print_json
from automl_explain.cli._terminal import say


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="id of a run (default: the final model of the newest search)"
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--save", metavar="FILE", help="file to write (default: dashboard.html)")
    way.add_argument("--serve", action="store_true", help="serve it on this machine until interrupted")
    parser.add_argument(
        "--port", type=at_least(0), default=0, metavar="N", help="port of --serve (default: a free one)"
    )
    parser.add_argument("--max-rows", type=at_least(1), metavar="N", help="most rows that are drawn")


def _act(options: argparse.Namespace) -> None:
    from automl_explain.dashboard._dashboard import ExplanationDashboard
    from automl_explain.explainers._errors import ExplanationNotFoundError
    from automl_explain.integrations.history._run import final_of

    history = open_history(options)
    run = history.run(options.run) if options.run else final_of(history.runs(newest_search(history)))
    if run is None:
        raise ExplanationNotFoundError("The newest search has no runs. `automl-explain runs` lists those of others.")
    dashboard = ExplanationDashboard(run, max_rows=options.max_rows)
    if not options.serve:
        path = dashboard.save(options.save or "dashboard.html")
        if options.json:
            print_json({"run": run.id, "dashboard": str(path)})
        else:
            print(f"wrote {path}")
        return
    with dashboard.serve(options.port) as server:
        if options.json:
            print_json({"run": run.id, "url": server.url})
        else:
            print(server.url, flush=True)
        say("open this address in a browser of this machine; Ctrl-C ends it")
        server.wait()


COMMAND = Command(
    name="dashboard",
    summary="interactive page of a run, as a file or served",
    description="Write the dashboard of a run as one HTML file that needs no other file and no network, or serve it on this "
    "machine. Its views show the data, importance, single rows, what-if and the whole search. Needs the extra dashboard; "
    "--serve also needs the extra serve.",
    examples=("dashboard --save churn.html", "dashboard 9f3c2a1b-0004 --serve --port 8050"),
    add_arguments=_add_arguments,
    act=_act,
)
