"""``automl-explain score``: predictions and explanations of the rows of a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from automl_explain.cli._command import Command, print_json

if TYPE_CHECKING:
    import pandas as pd

    from automl_explain.explainers.scoring._explainer import ScoringExplainer

ROWS_AT_ONCE = 4096
"""Rows explained at a time, so that memory does not grow with the file."""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", help="directory or file that save wrote")
    parser.add_argument(
        "--data", required=True, metavar="FILE", help="rows: .csv, .tsv or .parquet; other columns stay out"
    )
    parser.add_argument("--out", metavar="FILE", help=".csv or .parquet file to write (default: CSV on stdout)")


def _act(options: argparse.Namespace) -> None:
    from automl_explain.explainers._errors import InvalidInputError
    from automl_explain.explainers.scoring._saving import load
    from automl_explain.search._dataset import read_table

    out = None if options.out is None else Path(options.out)
    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise InvalidInputError(f"--out must end in .csv or .parquet. Got {out.name!r}.")
    scorer = load(options.bundle)
    table = read_table(options.data)
    names = scorer.schema.names
    if set(names) <= set(table.columns):
        table = table[list(names)]
    found = scored(scorer, table)
    if out is None and options.json:
        print_json({"rows": found.to_dict(orient="records"), "output_space": scorer.output_space})
    elif out is None:
        print(found.to_csv(index=False), end="")
    else:
        (found.to_csv if out.suffix == ".csv" else found.to_parquet)(out, index=False)
        print_json({"rows": len(found), "out": str(out)}) if options.json else print(f"{out}: {len(found):,} rows")


def scored(scorer: ScoringExplainer, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of predictions, probabilities, and the value of each feature for the predicted output."""
    import numpy as np
    import pandas as pd

    parts = []
    for start in range(0, len(table), ROWS_AT_ONCE):
        rows = table.iloc[start : start + ROWS_AT_ONCE]
        explanation = scorer.explain_local(rows)
        values, outputs = explanation.local_importance_values, explanation.predictions
        assert values is not None
        assert outputs is not None
        columns: dict[str, object] = {}
        if explanation.classes is None:
            columns["prediction"], base = outputs[:, 0], explanation.expected_values[0]
        else:
            best = outputs.argmax(axis=1)
            columns["prediction"] = [explanation.classes[k] for k in best.tolist()]
            if "probability" in scorer.model.outputs:
                shares = scorer.predict_proba(rows)
                columns |= {f"probability of {c}": shares[:, k] for k, c in enumerate(explanation.classes)}
            values, base = values[best, np.arange(len(best))], explanation.expected_values[best]
        columns["base value"] = base
        columns |= {f"value of {name}": values[:, j] for j, name in enumerate(explanation.feature_labels)}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


COMMAND = Command(
    name="score",
    summary="predict and explain the rows of a file",
    description="Predict and explain the rows of a file with a bundle: one row for each, with the prediction, the "
    "probabilities, and the value of each feature for the predicted class or number. Values add up, with the base value, to "
    "the output in the unit that `inspect` shows.",
    examples=("score my_directory --data new.parquet --out explained.parquet", "score best.zip --data new.csv"),
    add_arguments=_add_arguments,
    act=_act,
)
