"""``automl-explain explain``: explanations of files of rows, however many, with a run, a bundle or a model file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_explain.cli._command import Command, add_allow_pickle, at_least, open_history, print_json
from automl_explain.cli.scoring._model_file import add_model_arguments, is_model_file, label_of, scorer_of_file
from automl_explain.explainers._errors import InvalidInputError

if TYPE_CHECKING:
    from automl_explain.explainers.scoring._explainer import ScoringExplainer
    from automl_explain.streaming._explain_files import ExplainedFiles

SHOWN = 10
"""Features of the ranking that are printed."""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "explained",
        metavar="RUN|BUNDLE|MODEL",
        help="id of a run, or the beginning of one; what save wrote; or a model file: skops, LightGBM, XGBoost, CatBoost, "
        "ONNX, or a pickle with --allow-pickle",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="as --data")
    parser.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="FILE",
        help="rows: .csv, .tsv or .parquet files, or folders of them; other columns stay out",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="folder to write; an interrupted one is continued (default: RUN-explained and so on)",
    )
    parser.add_argument(
        "--target", metavar="NAME", help="column with the true labels, by which the report measures the model"
    )
    parser.add_argument("--columns", nargs="+", default=[], metavar="NAME", help="columns to copy, such as an id")
    parser.add_argument("--features", nargs="+", metavar="NAME", help="write the values of these features only")
    parser.add_argument("--top-k", type=at_least(1), metavar="K", help="write the K largest values of each row only")
    parser.add_argument(
        "--class", dest="output_class", metavar="NAME", help="class or target explained (default: predicted)"
    )
    parser.add_argument(
        "--where", nargs="+", default=[], metavar="CONDITION", help="explain only these rows, such as 'age >= 30'"
    )
    parser.add_argument("--float32", action="store_true", help="write values in half the space")
    parser.add_argument("--part-rows", type=at_least(1), metavar="N", help="rows of a file written (1,000,000)")
    add_allow_pickle(parser)
    add_model_arguments(parser)


def _act(options: argparse.Namespace) -> None:
    from automl_explain._model_explanation import ModelExplanation
    from automl_explain.explainers.scoring._row_columns import RowColumns
    from automl_explain.report._write import write_report
    from automl_explain.streaming._explain_files import PART_ROWS, explain_files

    data = [*options.files, *options.data]
    if not data:
        raise InvalidInputError("There is nothing to explain. Name files of rows: --data FILE.")
    copied = tuple(dict.fromkeys([*options.columns, *([options.target] if options.target else [])]))
    out = Path(options.out or f"{Path(options.explained).stem}-explained")
    done = explain_files(
        scorer_named(options, data, copied),
        data,
        out,
        columns=RowColumns(
            copied,
            None if options.features is None else tuple(options.features),
            options.top_k,
            options.output_class,
            "float32" if options.float32 else "float64",
        ),
        where=options.where,
        part_rows=options.part_rows or PART_ROWS,
    )
    shown = ModelExplanation(done.sample, true_labels=_labels(done, options.target))
    report = write_report(out / "report.html", shown, title=f"Explanation of {Path(options.explained).name}")
    ranked = done.importance.get_feature_importance_dict()
    if options.json:
        facts = {"out": str(done.directory), "rows": done.num_rows, "values": [str(path) for path in done.values]}
        known = {} if options.target is None else {"performance": shown.performance().as_dict()}
        print_json({**facts, "report": str(report), "importance": ranked, "unit": done.importance.unit, **known})
        return
    from automl_explain.explainers.formatting._names import counted
    from automl_explain.explainers.formatting._numbers import number_text
    from automl_explain.explainers.formatting._text_table import Column, TextTable

    print(
        f"{done.directory}: {counted(done.num_rows, 'row')} in {counted(len(done.values), 'file')}, and report.html\n"
    )
    heads = (Column("feature"), Column(f"importance, in {done.importance.unit}", is_number=True))
    rows = tuple((str(name), number_text(value)) for name, value in list(ranked.items())[:SHOWN])
    print(TextTable(heads, rows).as_text())
    if options.target is not None:
        print(f"\nwith the true labels\n{shown.performance().as_text()}")


def _labels(done: ExplainedFiles, target: str | None) -> Any:
    """Return the true labels of the sample; they were copied with the values."""
    if target is None:
        return None
    import numpy as np
    import pandas as pd

    column = pd.concat([pd.read_parquet(path, columns=[target])[target] for path in done.values], ignore_index=True)
    labels, classes = column.iloc[done.sample_rows], done.sample.classes
    if labels.isna().any():
        raise InvalidInputError(f"--target {target} has missing labels. Leave those rows out.")
    if classes is None:  # columns that are copied from text files are text
        return pd.to_numeric(labels, errors="coerce").to_numpy()
    return np.array([label_of(label, classes) for label in labels.tolist()], dtype=object)


def scorer_named(options: argparse.Namespace, data: Sequence[str], others: tuple[str, ...]) -> ScoringExplainer:
    """Return the scoring explainer of the bundle or model file at a path, or of a run."""
    from automl_explain.explainers.scoring._saving import load
    from automl_explain.integrations.history._run_scorers import scorer_of

    if is_model_file(options.explained):
        return scorer_of_file(options, data, others)
    if Path(options.explained).exists():
        return load(options.explained, allow_pickle=options.allow_pickle)
    return scorer_of(open_history(options).run(options.explained))


COMMAND = Command(
    name="explain",
    summary="explain files of rows with a run, a bundle or a model",
    description="Explain the rows of files that may be larger than memory, with a run, a bundle or a model file. DIR/values "
    "holds Parquet files with the prediction, the probabilities and the value of each feature for the predicted class or "
    "number; DIR/importance.csv the importance of the features over all rows, with 95% intervals; DIR/report.html the report "
    "of the model, drawn from up to 2,000 rows. If the command is interrupted, the same command goes on. Needs the extra "
    "parquet.",
    examples=(
        "explain model.skops march.csv --target churn",
        "explain 9f3c2a1b-refit --data year.parquet --out shap/",
        "explain my_directory days/ --top-k 5 --where 'age >= 30'",
    ),
    add_arguments=_add_arguments,
    act=_act,
)
