"""A model file as a scoring explainer, with rows of files as its background."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_explain.cli._terminal import say

if TYPE_CHECKING:
    import pandas as pd

    from automl_explain.explainers.scoring._explainer import ScoringExplainer

BACKGROUND_ROWS = 1000
"""Maximum number of rows that stand in for absent features."""


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only a model file needs."""
    options = parser.add_argument_group("for a model file")
    options.add_argument(
        "--background",
        nargs="+",
        metavar="FILE",
        help=f"rows that stand in for absent features, such as the training data; {BACKGROUND_ROWS:,} of them are drawn "
        "(default: the rows explained)",
    )
    options.add_argument("--classes", nargs="+", metavar="NAME", help="names of the classes, in the model's order")
    options.add_argument("--output", default="auto", metavar="UNIT", help="probability or log_odds (default: auto)")
    options.add_argument("--trust", nargs="+", default=[], metavar="TYPE", help="types that a skops file may contain")


def is_model_file(target: str) -> bool:
    """Whether there is a file at a path that is a model, not a bundle."""
    from automl_explain.integrations.model_files._load_model import format_of

    path = Path(target)
    return path.is_file() and format_of(path) is not None


def scorer_of_file(options: argparse.Namespace, data: Sequence[str], others: tuple[str, ...]) -> ScoringExplainer:
    """Return the scoring explainer of a model file."""
    from automl_explain.explainers._tabular_explainer import TabularExplainer
    from automl_explain.explainers.scoring._kinds import choose_scoring_explainer
    from automl_explain.explainers.tables._table import draw_rows
    from automl_explain.integrations.model_files._load_model import load_model
    from automl_explain.integrations.model_files._rows_of_model import rows_of_model

    model = load_model(options.explained, trusted=options.trust, allow_pickle=options.allow_pickle)
    sources = options.background or data
    table = _table(sources)
    known = rows_of_model(model, table, ", ".join(map(str, sources)), others)
    background = known.iloc[draw_rows(len(known), BACKGROUND_ROWS, 0)]
    what = "" if options.background else ", which are explained"
    explainer = TabularExplainer(model, background, classes=options.classes, output=options.output, feature_space="raw")
    scorer = choose_scoring_explainer(explainer, known)
    if options.target in table.columns:
        _check_labels(table[options.target], scorer.classes, options.target)
    say(f"background: {len(background):,} of {len(known):,} rows of {', '.join(map(str, sources))}{what}")
    return scorer


def label_of(cell: Any, classes: Sequence[Any]) -> Any:
    """Return the class that a cell of a file stands for; a cell that stands for none as it is."""
    by_text = {str(label): label for label in classes}
    text = str(cell)
    return by_text.get(text, by_text.get(text.removesuffix(".0"), cell))


def _check_labels(labels: pd.Series, classes: Sequence[Any] | None, target: str) -> None:
    from automl_explain.explainers._errors import InvalidInputError

    if labels.isna().any():
        raise InvalidInputError(
            f"--target {target} has {int(labels.isna().sum()):,} missing labels. Leave those rows out."
        )
    found = labels.unique().tolist()
    if classes is None or all(label_of(label, classes) in classes for label in found):
        return
    raise InvalidInputError(
        f"The model has the classes {list(classes)}, and --target {target} has other labels: {sorted(map(str, found))[:5]}. Name "
        f"the classes in the order of the model, such as: --classes {' '.join(sorted(map(str, found))[:5])}"
    )


def _table(sources: Sequence[str]) -> pd.DataFrame:
    """Return the rows of files and folders in memory."""
    import pandas as pd

    from automl_explain.search._dataset import read_table
    from automl_explain.streaming._files import files_in

    tables = [read_table(file.path) for source in sources for file in files_in(Path(source))]
    return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
