"""The command line: ``automl-explain demo | run | runs | show | report | diff``.

stdout is data, as text or with ``--json`` as one JSON document; stderr is progress and errors. Exit codes: 0 done,
1 failed, 2 usage or bad input, 3 a limit of ``diff`` is exceeded, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from automl_explain import __version__
from automl_explain.explainers._errors import (
    AutoMLExplainError,
    ExplanationNotFoundError,
    FormatVersionError,
    HistoryError,
    InvalidInputError,
    MissingExtraError,
    RunNotFoundError,
)

BAD_INPUT = (
    InvalidInputError,
    RunNotFoundError,
    ExplanationNotFoundError,
    HistoryError,
    FormatVersionError,
    MissingExtraError,
)
"""Errors that the person at the keyboard can mend: exit code 2."""


LIMIT_EXCEEDED = 3
"""Exit code of ``diff`` for a gate that did not hold."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.
    """
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int | None] = options.command
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries' advice to programmers; what users must know is printed
            code = command(options)
        sys.stdout.flush()
    except BAD_INPUT as error:
        return _say_error(error, 2)
    except AutoMLExplainError as error:
        return _say_error(error, 1)
    except KeyboardInterrupt:
        return _say_error("interrupted; runs recorded so far stay in the history", 130)
    except BrokenPipeError:
        # Whoever read stdout has seen enough; without this Python would complain when it flushes stdout at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if options.debug:
            raise
        return _say_error(f"{type(error).__name__}: {error} (--debug shows where)", 1)
    return code or 0


def _say_error(error: object, code: int) -> int:
    """Print an error as one line, whatever it holds, and return the code."""
    print("automl-explain:", " ".join(str(error).split()), file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="automl-explain",
        description="Search for a model and explain every run of the search; look at runs and explanations.",
        epilog="exit codes: 0 done, 1 failed, 2 usage or bad input, 3 a limit of diff is exceeded. Results go to stdout, "
        "progress to stderr.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    shared.add_argument("--history", metavar="DIR", help="run history (default: your data folder)")
    shared.add_argument("--debug", action="store_true", help="show where an unexpected error came from")
    searching = argparse.ArgumentParser(add_help=False)
    searching.add_argument("--engine", default="flaml", metavar="NAME", help="what searches: flaml (default) or optuna")
    searching.add_argument("--ensemble", action="store_true", help="stack the best learners at the end")
    searching.add_argument("--metric", default="auto", help="what the search optimises (default: auto)")
    searching.add_argument(
        "--estimators", metavar="A,B", help="learners to try, such as lgbm,rf (default: the engine's)"
    )
    searching.add_argument(
        "--cv", type=_at_least(2), metavar="K", help="score models in K folds, not on validation rows"
    )
    searching.add_argument("--max-iter", type=_at_least(2), metavar="N", help="most trials, 2 or more")
    searching.add_argument(
        "--seed", type=_at_least(0), metavar="N", default=0, help="seed of the split and the search (default: 0)"
    )

    demo = commands.add_parser("demo", parents=[shared, searching], help="explained search on a bundled data set")
    demo.add_argument("--time-budget", type=_seconds, default=15, metavar="S", help="seconds of search (default: 15)")
    demo.add_argument("--out", default="automl-explain-demo", metavar="DIR", help="report and plots")
    demo.set_defaults(command=_demo)

    run = commands.add_parser("run", parents=[shared, searching], help="explained search on your CSV or Parquet file")
    run.add_argument("data", nargs="?", metavar="DATA", help=".csv, .tsv (also compressed) or .parquet")
    run.add_argument(
        "--config", metavar="FILE", help=".toml, .yaml or .json with data and settings, instead of them here"
    )
    run.add_argument("--target", metavar="COL", help="column to predict")
    run.add_argument("--task", choices=("classification", "regression"), help="default: inferred from the target")
    run.add_argument("--time-budget", type=_seconds, default=60, metavar="S", help="seconds of search (default: 60)")
    run.add_argument("--validation", metavar="FILE", help="validation rows (default: a fifth of DATA)")
    run.add_argument("--drop", action="append", default=[], metavar="COL", help="leave a column out; repeatable")
    run.add_argument("--out", default="automl-explain-out", metavar="DIR", help="report and plots")
    given = (
        "data",
        "target",
        "task",
        "time_budget",
        "validation",
        "cv",
        "drop",
        "engine",
        "ensemble",
        "metric",
        "estimators",
        "max_iter",
        "seed",
    )
    run.set_defaults(command=_run, usual={name: run.get_default(name) for name in given}, refuse=run.error)

    runs = commands.add_parser("runs", parents=[shared], help="list runs")
    runs.add_argument("--search", metavar="ID", help="of one search only")
    runs.add_argument(
        "--insight", action="store_true", help="what the runs teach together (default: the newest search)"
    )
    runs.add_argument(
        "--tolerance",
        type=_share,
        default=0.05,
        metavar="T",
        help="near-best: loss within T times the lowest (default: 0.05)",
    )
    runs.set_defaults(command=_runs)

    show = commands.add_parser("show", parents=[shared], help="print a run's explanation")
    show.add_argument("run", metavar="RUN", help="run id, or the beginning of one")
    show.add_argument("--top", type=_at_least(1), default=10, metavar="K", help="features shown (default: 10)")
    show.set_defaults(command=_show)

    report = commands.add_parser("report", parents=[shared], help="write the HTML report of a search again")
    report.add_argument("search", nargs="?", metavar="SEARCH", help="default: the latest search")
    report.add_argument("--out", default="report.html", metavar="FILE", help="file to write (default: report.html)")
    report.set_defaults(command=_report)
    diff = commands.add_parser("diff", parents=[shared], help="what moved between two runs or explanation files")
    diff.add_argument("before", metavar="A", help="run id, or a file that Explanation.save wrote")
    diff.add_argument("after", metavar="B", help="the same, to compare with A")
    diff.add_argument("--top", type=_at_least(1), default=15, metavar="K", help="features shown (default: 15)")
    diff.add_argument(
        "--min-correlation", type=_finite, metavar="R", help="exit 3 when the rank correlation is below R"
    )
    diff.add_argument(
        "--max-change", type=_share, metavar="S", help="exit 3 when a feature's share changes by more than S"
    )
    diff.set_defaults(command=_diff)
    return parser


def _at_least(smallest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < smallest:
            raise argparse.ArgumentTypeError(f"must be {smallest} or more, got {text}")
        return int(text)

    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds greater than 0, got {text}")
    return seconds


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"must be a number, got {text}")
    return number


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number, 0 or more, got {text}")
    return share


def _demo(options: argparse.Namespace) -> None:
    from sklearn.datasets import load_breast_cancer

    from automl_explain.search._config import AutoMLConfig

    bunch = load_breast_cancer(as_frame=True)
    labels = bunch.target.map(dict(enumerate(bunch.target_names.tolist()))).rename("diagnosis")
    print("data: 569 tumours x 30 measurements, the breast cancer data that scikit-learn bundles", file=sys.stderr)
    _search(AutoMLConfig(X=bunch.data, y=labels, task="classification", **_settings(options)), options)


def _run(options: argparse.Namespace) -> None:
    from automl_explain.search._config import AutoMLConfig

    if options.config:
        _search(_read_config(options), options)
        return
    if options.data is None or options.target is None:
        options.refuse("DATA and --target COL are needed, or --config FILE")
    given = {"task": options.task, "validation": options.validation, "drop": options.drop, **_settings(options)}
    _search(AutoMLConfig.from_data(options.data, options.target, **given), options)


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the options say of the search, as AutoMLConfig takes it."""
    same = ("engine", "cv", "time_budget", "max_iter", "metric", "ensemble", "seed", "history")
    names = [name.strip() for name in options.estimators.split(",")] if options.estimators else None
    return {"estimators": names, **{name: getattr(options, name) for name in same}}


def _read_config(options: argparse.Namespace) -> Any:
    """The configuration of a file; what the file says cannot be said on the command line as well."""
    from automl_explain.search._config import AutoMLConfig

    twice = [name for name, usual in options.usual.items() if getattr(options, name) != usual]
    if twice:
        raise InvalidInputError(f"--config names data and settings: leave out {', '.join(twice)}, or change the file.")
    config = AutoMLConfig.from_file(options.config, **({"history": options.history} if options.history else {}))
    if not config.model_explainability:
        raise InvalidInputError("automl-explain run explains every run: leave model_explainability out of the file.")
    return config


def _search(config: Any, options: argparse.Namespace) -> None:
    from automl_explain.search._job import run_search

    for line in config.said:
        print(line, file=sys.stderr)
    result = run_search(config, Path(options.out))
    if options.json:
        print(json.dumps(result.as_dict()))
    else:
        flag = f" --history {shlex.quote(str(config.history))}" if config.history else ""
        print(result.as_text(history_flag=flag))


def _runs(options: argparse.Namespace) -> None:
    history = _history(options)
    if options.search:
        history.search(options.search)
    if options.insight:
        _insight(history, options)
        return
    runs = history.runs(options.search)
    if options.json:
        print(json.dumps([run.as_dict() for run in runs]))
    elif not runs:
        print(f"no runs yet in {history.directory}; make some with: automl-explain demo")
    else:
        from automl_explain.display._text_tables import runs_table

        print(runs_table(runs))


def _insight(history: Any, options: argparse.Namespace) -> None:
    from automl_explain.analysis._search_explanation import SearchExplanation
    from automl_explain.display._search_tables import search_text

    search = options.search or _newest(history)
    taught = SearchExplanation.from_runs(history.runs(search), tolerance=options.tolerance)
    print(json.dumps({"search": search, **taught.as_dict()}) if options.json else search_text(taught))


def _newest(history: Any) -> str:
    searches = history.searches()
    if not searches:
        raise RunNotFoundError(f"There is no search in {history.directory} yet; make one with: automl-explain demo")
    newest: str = searches[-1]
    return newest


def _show(options: argparse.Namespace) -> None:
    from automl_explain._explain_model import retrieve_model_explanation
    from automl_explain.search._job import explanation_as_dict

    run = _history(options).run(options.run)
    explained = retrieve_model_explanation(run)
    if options.json:
        print(json.dumps({"run": run.as_dict(), **explanation_as_dict(explained)}))
    else:
        from automl_explain.display._text_tables import members_table, runs_table, six_values_tables

        print(runs_table([run]))
        print()
        print(six_values_tables(explained, top=options.top))
        if explained.members is not None:
            print()
            print(members_table(explained.members, top=options.top))


def _diff(options: argparse.Namespace) -> int:
    from automl_explain.analysis._diff import ExplanationDiff

    diff = ExplanationDiff.between(_explanation(options.before, options), _explanation(options.after, options))
    exceeded = diff.exceeds(options.min_correlation, options.max_change)
    if options.json:
        print(json.dumps({"before": options.before, "after": options.after, **diff.as_dict(), "exceeded": exceeded}))
    else:
        print(diff.as_text(options.top))
    for line in exceeded:
        _say_error(line, LIMIT_EXCEEDED)
    return LIMIT_EXCEEDED if exceeded else 0


def _explanation(name: str, options: argparse.Namespace) -> Any:
    """An explanation from a file, or that of a run."""
    if Path(name).is_file():
        from automl_explain.explainers.explanation._explanation import Explanation

        return Explanation.load(name)
    return _history(options).run(name).explanation


def _report(options: argparse.Namespace) -> None:
    from automl_explain.report._write import write_report

    history = _history(options)
    search = options.search or _newest(history)
    history.search(search)
    try:
        write_report(options.out, history.runs(search))
    except OSError as error:
        raise InvalidInputError(f"{options.out} cannot be written: {error}. Name another file with --out.") from error
    print(json.dumps({"search": search, "report": str(options.out)}) if options.json else f"wrote {options.out}")


def _history(options: argparse.Namespace) -> Any:
    from automl_explain.integrations.history._run_history import RunHistory

    return RunHistory(options.history)


if __name__ == "__main__":
    sys.exit(main())
