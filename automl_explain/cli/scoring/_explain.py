"""``automl-explain explain``: explanations of files of rows, however many, with a run or a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from automl_explain.cli._command import Command, at_least, open_history, print_json

if TYPE_CHECKING:
    from automl_explain.explainers.scoring._explainer import ScoringExplainer

SHOWN = 10
"""Features of the ranking that are printed."""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="RUN|BUNDLE", help="id of a run, or the beginning of one; or what save wrote")
    parser.add_argument("files", nargs="*", metavar="FILE", help="as --data")
    parser.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="FILE",
        help="rows: .csv, .tsv or .parquet files, or folders of them; other columns stay out",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write; an interrupted one is continued")
    parser.add_argument("--columns", nargs="+", default=[], metavar="NAME", help="columns to copy, such as an id")
    parser.add_argument("--features", nargs="+", metavar="NAME", help="write the values of these features only")
    parser.add_argument("--top-k", type=at_least(1), metavar="K", help="write the K largest values of each row only")
    parser.add_argument("--class", dest="output_class", metavar="NAME", help="class explained (default: the predicted)")
    parser.add_argument(
        "--where", nargs="+", default=[], metavar="CONDITION", help="explain only these rows, such as 'age >= 30'"
    )
    parser.add_argument("--float32", action="store_true", help="write values in half the space")
    parser.add_argument("--part-rows", type=at_least(1), metavar="N", help="rows of a file written (1,000,000)")


def _act(options: argparse.Namespace) -> None:
    from automl_explain.explainers._errors import InvalidInputError
    from automl_explain.explainers.scoring._row_columns import RowColumns
    from automl_explain.streaming._explain_files import PART_ROWS, explain_files

    data = [*options.files, *options.data]
    if not data:
        raise InvalidInputError("There is nothing to explain. Name files of rows: --data FILE.")
    done = explain_files(
        scorer_named(options),
        data,
        options.out,
        columns=RowColumns(
            tuple(options.columns),
            None if options.features is None else tuple(options.features),
            options.top_k,
            options.output_class,
            "float32" if options.float32 else "float64",
        ),
        where=options.where,
        part_rows=options.part_rows or PART_ROWS,
    )
    ranked = done.importance.get_feature_importance_dict()
    if options.json:
        facts = {"out": str(done.directory), "rows": done.num_rows, "values": [str(path) for path in done.values]}
        print_json({**facts, "importance": ranked, "unit": done.importance.unit})
        return
    from automl_explain.explainers.formatting._numbers import number_text
    from automl_explain.explainers.formatting._text_table import Column, TextTable

    print(f"{done.directory}: {done.num_rows:,} rows in {len(done.values):,} files\n")
    heads = (Column("feature"), Column(f"importance, in {done.importance.unit}", is_number=True))
    rows = tuple((str(name), number_text(value)) for name, value in list(ranked.items())[:SHOWN])
    print(TextTable(heads, rows).as_text())


def scorer_named(options: argparse.Namespace) -> ScoringExplainer:
    """Return the scoring explainer of the bundle at a path, or of a run."""
    from automl_explain.explainers.scoring._saving import load
    from automl_explain.integrations.history._run_scorers import scorer_of

    if Path(options.target).exists():
        return load(options.target)
    return scorer_of(open_history(options).run(options.target))


COMMAND = Command(
    name="explain",
    summary="explain files of rows, however many",
    description="Explain the rows of files that may be larger than memory, with a run or a bundle. DIR/values holds Parquet "
    "files with the prediction, the probabilities and the value of each feature for the predicted class or number; "
    "DIR/importance.csv the importance of the features over all rows, with 95% intervals. If the command is interrupted, "
    "the same command goes on. Needs the extra parquet.",
    examples=(
        "explain 9f3c2a1b-refit --data year.parquet --out shap/",
        "explain my_directory days/ --out shap/ --columns id --top-k 5 --where 'age >= 30'",
    ),
    add_arguments=_add_arguments,
    act=_act,
)
