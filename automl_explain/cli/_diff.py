"""``automl-explain diff``: what changed between two explanations, with limits for CI."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from automl_explain.cli._command import Command, at_least, finite, open_history, print_json, say_error, share

if TYPE_CHECKING:
    from automl_explain.explainers.explanation._explanation import Explanation

LIMIT_EXCEEDED = 3
"""Exit code when a limit is exceeded."""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", metavar="A", help="id of a run, a file written by Explanation.save, or a bundle")
    parser.add_argument("after", metavar="B", help="the same, to compare with A")
    parser.add_argument("--top", type=at_least(1), default=15, metavar="K", help="number of features (default: 15)")
    parser.add_argument(
        "--min-correlation", type=finite, metavar="R", help="exit 3 when the rank correlation is below R"
    )
    parser.add_argument(
        "--max-change", type=share, metavar="S", help="exit 3 when a feature's share changes by more than S"
    )


def _act(options: argparse.Namespace) -> int:
    from automl_explain.analysis._diff import ExplanationDiff

    diff = ExplanationDiff.between(_explanation(options.before, options), _explanation(options.after, options))
    exceeded = diff.exceeds(options.min_correlation, options.max_change)
    if options.json:
        print_json({"before": options.before, "after": options.after, **diff.as_dict(), "exceeded": exceeded})
    else:
        print(diff.as_text(options.top))
    for line in exceeded:
        say_error(line, LIMIT_EXCEEDED)
    return LIMIT_EXCEEDED if exceeded else 0


def _explanation(name: str, options: argparse.Namespace) -> Explanation:
    """Load an explanation from a file or bundle, or else from the run of that id."""
    from automl_explain.explainers.bundles._array_file import bundle_kind
    from automl_explain.explainers.explanation._explanation import Explanation
    from automl_explain.explainers.scoring._bundle import KIND
    from automl_explain.explainers.scoring._inspecting import bundled_importance

    # Bundles and explanations may both be archives, whatever their names.
    is_bundle = Path(name).is_dir() or (Path(name).is_file() and bundle_kind(name) == KIND)
    if is_bundle:
        return bundled_importance(name)
    found = Explanation.load(name) if Path(name).is_file() else open_history(options).run(name).explanation
    overall: Explanation = found.overall()
    return overall


COMMAND = Command(
    name="diff",
    summary="compare two runs, explanation files or bundles",
    description="Show what changed between two explanations: ranks, shares of the importance and their correlation. "
    "A bundle stands for the importance in training that it keeps; GET /importance of its service is that in production. "
    "With --min-correlation or --max-change it is a gate for CI: exit code 3 when a limit is exceeded.",
    examples=(
        "diff before.explanation after.explanation --max-change 0.1",
        "diff my_directory now.explanation --max-change 0.1",
    ),
    add_arguments=_add_arguments,
    act=_act,
)
