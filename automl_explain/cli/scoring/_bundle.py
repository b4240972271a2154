"""``automl-explain bundle``: the scoring explainer of a run, in a directory or file of its own."""

from __future__ import annotations

import argparse
from contextlib import nullcontext

from automl_explain.cli._command import Command, open_history, print_json


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="id of a run, or the beginning of one")
    parser.add_argument("directory", metavar="DIR", help="directory to write, or a name that ends in .zip")
    parser.add_argument("--exist-ok", action="store_true", help="replace a bundle in a directory that exists")
    parser.add_argument(
        "--unsigned",
        action="store_true",
        help="sign a run that the history keeps without the signature of AUTOML_EXPLAIN_BUNDLE_KEY, since you trust it",
    )


def _act(options: argparse.Namespace) -> None:
    from automl_explain.explainers.bundles._manifest import signatures_unchecked
    from automl_explain.explainers.scoring._saving import save
    from automl_explain.integrations.history._run_scorers import note_copy, scorer_of

    run = open_history(options).run(options.run)
    with signatures_unchecked() if options.unsigned else nullcontext():
        scorer = scorer_of(run)
    path = save(scorer, options.directory, options.exist_ok, facts={"run": run.id, "search": run.search})
    note_copy(run, path)
    if options.json:
        print_json({"run": run.id, "bundle": str(path), "fingerprint": scorer.fingerprint})
    else:
        print(f"{path}: {scorer!r} of run {run.id}")


COMMAND = Command(
    name="bundle",
    summary="write the scoring explainer of a run",
    description="Write the scoring explainer of a run: its model and explainer as data, without pickle, for `score` and "
    "`serve`. A search keeps those of its final model and of its best trial; `automl-explain runs` lists the ids.",
    examples=(
        "bundle 9f3c2a1b-refit my_directory",
        "bundle 9f3c2a1b-0004 best.zip --exist-ok",
        "bundle 9f3c2a1b-refit signed --unsigned",
    ),
    add_arguments=_add_arguments,
    act=_act,
)
