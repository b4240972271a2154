"""``automl-explain run``: an explained search on the user's own table."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from automl_explain.cli._command import Command, seconds
from automl_explain.cli._searching import add_search_arguments, search, search_settings
from automl_explain.explainers._errors import InvalidInputError

if TYPE_CHECKING:
    from automl_explain.search._config import AutoMLConfig

STATED_IN_A_FILE = (
    "data", "target", "task", "time_budget", "validation", "cv", "drop",
    "engine", "ensemble", "metric", "estimators", "max_iter", "seed", "keep_labels", "keep_models",
)  # fmt: skip
"""Arguments that ``--config`` replaces."""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_search_arguments(parser)
    parser.add_argument("data", nargs="?", metavar="DATA", help=".csv, .tsv (also compressed) or .parquet file")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help=".toml, .yaml or .json file with data and settings, in place of DATA and options",
    )
    parser.add_argument("--target", metavar="COL", help="column to predict")
    parser.add_argument(
        "--task", choices=("classification", "regression"), help="task (default: inferred from the target)"
    )
    parser.add_argument("--time-budget", type=seconds, default=60, metavar="S", help="seconds of search (default: 60)")
    parser.add_argument("--validation", metavar="FILE", help="validation rows (default: a fifth of DATA)")
    parser.add_argument("--drop", action="append", default=[], metavar="COL", help="leave a column out; repeatable")
    parser.add_argument(
        "--out",
        default="automl-explain-out",
        metavar="DIR",
        help="folder of the report and the plots (default: automl-explain-out)",
    )
    usual = {name: parser.get_default(name) for name in STATED_IN_A_FILE}
    parser.set_defaults(usual=usual, refuse=parser.error)


def _act(options: argparse.Namespace) -> int:
    from automl_explain.search._config import AutoMLConfig

    if options.config:
        return search(_read_config(options), options)
    if options.data is None or options.target is None:
        options.refuse("DATA and --target COL are needed, or --config FILE")
    given = {"task": options.task, "validation": options.validation, "drop": options.drop, **search_settings(options)}
    return search(AutoMLConfig.from_data(options.data, options.target, **given), options)


def _read_config(options: argparse.Namespace) -> AutoMLConfig:
    """Read the configuration file, and refuse options that it states as well."""
    from automl_explain.search._config import AutoMLConfig

    twice = [name for name, usual in options.usual.items() if getattr(options, name) != usual]
    if twice:
        raise InvalidInputError(f"--config names data and settings: leave out {', '.join(twice)}, or change the file.")
    config = AutoMLConfig.from_file(options.config, **({"history": options.history} if options.history else {}))
    if not config.model_explainability:
        raise InvalidInputError("automl-explain run explains every run: leave model_explainability out of the file.")
    return config


COMMAND = Command(
    name="run",
    summary="explained search on your CSV or Parquet file",
    description="Search for a model of your table, explain every run of the search, print the runs and the "
    "explanation of the best one, and write a report and plots. A fifth of the rows is kept for validation "
    "unless --validation or --cv says otherwise. The exit code is 4 if the final model was not explained.",
    examples=(
        "run people.csv --target bought --time-budget 60",
        "run people.csv --target bought --engine optuna --cv 5 --ensemble",
        "run --config search.toml",
    ),
    add_arguments=_add_arguments,
    act=_act,
)
