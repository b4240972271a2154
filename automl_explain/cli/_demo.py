"""``automl-explain demo``: an explained search on a bundled data set."""

from __future__ import annotations

import argparse
import threading

from automl_explain.cli._command import Command, seconds
from automl_explain.cli._searching import add_search_arguments, search, search_settings
from automl_explain.cli._terminal import say


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_search_arguments(parser)
    parser.add_argument("--time-budget", type=seconds, default=15, metavar="S", help="seconds of search (default: 15)")
    parser.add_argument(
        "--out",
        default="automl-explain-demo",
        metavar="DIR",
        help="folder of the report and the plots (default: automl-explain-demo)",
    )


def _act(options: argparse.Namespace) -> int:
    from sklearn.datasets import load_breast_cancer

    from automl_explain.explainers._warm_up import warm_up
    from automl_explain.search._config import AutoMLConfig

    # The first demo on a machine compiles the kernels; it does so while it searches, which has a budget of time.
    threading.Thread(target=warm_up, name="automl-explain warm-up", daemon=True).start()
    bunch = load_breast_cancer(as_frame=True)
    labels = bunch.target.map(dict(enumerate(bunch.target_names.tolist()))).rename("diagnosis")
    say("data: 569 tumours x 30 measurements, the breast cancer data that scikit-learn bundles")
    return search(AutoMLConfig(X=bunch.data, y=labels, task="classification", **search_settings(options)), options)


COMMAND = Command(
    name="demo",
    summary="explained search on a bundled data set",
    description="Search for a model of a data set that scikit-learn bundles, explain every run of the search, "
    "print the runs and the explanation of the best one, and write a report and plots.",
    examples=("demo --time-budget 10 --out pictures",),
    add_arguments=_add_arguments,
    act=_act,
)
