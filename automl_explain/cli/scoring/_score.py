"""``automl-explain score``: predictions and explanations of the rows of a file, in one file or on stdout."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from automl_explain.cli._command import Command, add_allow_pickle, print_json

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", help="directory or file that save wrote")
    parser.add_argument(
        "--data", required=True, metavar="FILE", help="rows: .csv, .tsv or .parquet; other columns stay out"
    )
    parser.add_argument(
        "--class", dest="output_class", metavar="NAME", help="class or target explained (default: the predicted class)"
    )
    add_allow_pickle(parser)
    parser.add_argument("--out", metavar="FILE", help=".csv or .parquet file to write (default: CSV on stdout)")


def _act(options: argparse.Namespace) -> None:
    from automl_explain.explainers._errors import InvalidInputError
    from automl_explain.explainers.scoring._row_columns import RowColumns
    from automl_explain.explainers.scoring._saving import load
    from automl_explain.streaming._explain_files import explained_blocks, schema_of_rows

    out = None if options.out is None else Path(options.out)
    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise InvalidInputError(f"--out must end in .csv or .parquet. Got {out.name!r}.")
    scorer = load(options.bundle, allow_pickle=options.allow_pickle)
    columns = RowColumns(output_class=options.output_class)
    tables = explained_blocks(scorer, options.data, columns)
    if out is None and options.json:
        rows = [row for table in tables for row in table.to_dict(orient="records")]
        print_json({"rows": rows, "output_space": scorer.output_space})
    elif out is None:
        for number, table in enumerate(tables):
            table.to_csv(sys.stdout, index=False, header=not number)
    else:
        n_rows = _write(tables, out, partial(schema_of_rows, scorer, columns))
        print_json({"rows": n_rows, "out": str(out)}) if options.json else print(f"{out}: {n_rows:,} rows")


def _write(tables: Iterator[pd.DataFrame], out: Path, schema: Callable[[], pa.Schema]) -> int:
    """Write tables to one file, and return how many rows they have."""
    from automl_explain.explainers._files import written_whole
    from automl_explain.streaming._output_folder import Part

    with written_whole(out) as stream:
        if out.suffix == ".parquet":
            first = next(tables)  # there is one, or an error says why not
            part = Part(stream, schema())
            for table in itertools.chain([first], tables):
                part.write(table)
            part.close()
            return part.rows
        n_rows = 0
        for table in tables:
            table.to_csv(stream, index=False, header=not n_rows)
            n_rows += len(table)
        return n_rows


COMMAND = Command(
    name="score",
    summary="predict and explain the rows of a file",
    description="Predict and explain the rows of a file with a bundle: one row for each, with the prediction, the "
    "probabilities, and the value of each feature for the predicted class or number. Values add up, with the base value, to "
    "the output in the unit that `inspect` shows. For many rows see `explain`. Needs the extra parquet.",
    examples=("score my_directory --data new.parquet --out explained.parquet", "score best.zip --data new.csv"),
    add_arguments=_add_arguments,
    act=_act,
)
