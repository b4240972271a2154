"""What ``demo`` and ``run`` share: the settings of a search, the search, and its results."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_explain.cli._command import at_least, print_json
from automl_explain.cli._terminal import say

if TYPE_CHECKING:
    from automl_explain.search._config import AutoMLConfig


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the settings of a search."""
    parser.add_argument(
        "--engine", default="auto", metavar="NAME", help="search engine: flaml (default) or optuna (default for texts)"
    )
    ensemble = parser.add_mutually_exclusive_group()
    ensemble.add_argument("--ensemble", action="store_true", help="stack the best learners at the end of the search")
    ensemble.add_argument(
        "--voting", action="store_const", const="voting", dest="ensemble", help="let the best learners vote at the end"
    )
    parser.add_argument("--metric", default="auto", help="metric to optimise (default: auto)")
    parser.add_argument(
        "--estimators", metavar="A,B", help="learners to try, such as lgbm,rf (default: those of the engine)"
    )
    parser.add_argument(
        "--cv", type=at_least(2), metavar="K", help="score models by K-fold cross-validation, not on validation rows"
    )
    parser.add_argument("--max-iter", type=at_least(2), metavar="N", help="maximum number of trials, 2 or more")
    parser.add_argument(
        "--seed", type=at_least(0), metavar="N", default=0, help="seed of the split and the search (default: 0)"
    )

    parser.add_argument(
        "--keep-labels", action="store_true", help="keep the true labels of the explained rows, and show the worst rows"
    )
    parser.add_argument(
        "--keep-models", action="store_true", help="keep models until they are explained, for resume if the search dies"
    )


def search_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of the search as AutoMLConfig takes them."""
    same = ("engine", "cv", "time_budget", "max_iter", "metric", "ensemble", "seed", "history")
    names = [name.strip() for name in options.estimators.split(",")] if options.estimators else None
    explain = {"keep_labels": options.keep_labels, "keep_models": options.keep_models}
    return {"estimators": names, "explainability_options": explain, **{name: getattr(options, name) for name in same}}


FINAL_NOT_EXPLAINED = 4
"""Exit code of a search whose final model was not explained."""


def search(config: AutoMLConfig, options: argparse.Namespace) -> int:
    """Search, explain every run, write the report and the plots, print the results, and return the exit code."""
    from automl_explain.integrations.recording._termination import Terminated, terminated_as_interrupted
    from automl_explain.search._job import run_search

    for line in config.said:
        say(line)
    with terminated_as_interrupted():
        try:
            result = run_search(config, Path(options.out))
        except Terminated:
            say("automl-explain: ended by SIGTERM; runs recorded so far stay in the history")
            raise
    if options.json:
        print_json(result.as_dict())
    else:
        flag = f" --history {shlex.quote(str(config.history))}" if config.history else ""
        print(result.as_text(history_flag=flag))
    return FINAL_NOT_EXPLAINED if result.missing else 0
