"""`explain_files`: explanations of files as a stream, which goes on where it was interrupted."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.parts._partial_importance import PartialImportance
from automl_explain.explainers.parts._row_sample import RowSample
from automl_explain.explainers.scoring._explainer import ScoringExplainer
from automl_explain.explainers.scoring._row_columns import BLOCK_ROWS, RowColumns, block_rows, located
from automl_explain.streaming._ahead import ahead, behind
from automl_explain.streaming._files import RowFile, RowFiles
from automl_explain.streaming._output_folder import OutputFolder

PART_ROWS = 1_000_000
"""Rows of a part: what an interruption costs at most."""


@dataclass(frozen=True)
class ExplainedFiles:
    """What `explain_files` has written.

    Parameters
    ----------
    directory : Path
        The output folder.
    values : tuple of Path
        Parquet files with the table of rows, in the order of the data.
    num_rows : int
        Rows explained.
    importance : Explanation
        Global importance over all rows, without their values; its `global_importance` has intervals.
    sample : Explanation
        Up to 2,000 of the rows, evenly spaced, with all their values, for plots, `write_report` or the dashboard.
    sample_rows : list of int
        Numbers of these rows among all that were explained, from 0.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import TabularExplainer, explain_files, scoring_explainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> scorer = scoring_explainer(TabularExplainer(Ridge().fit(X, y), X))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     X.to_parquet(f"{folder}/rows.parquet")
    ...     done = explain_files(scorer, f"{folder}/rows.parquet", f"{folder}/out")
    >>> done.num_rows, done.importance.get_ranked_global_names(2)
    (442, ['bmi', 's5'])
    """

    directory: Path
    values: tuple[Path, ...]
    num_rows: int
    importance: Explanation
    sample: Explanation
    sample_rows: list[int]


@checked
def explain_files(
    explainer: ScoringExplainer,
    data: Any,
    directory: Any,
    *,
    columns: RowColumns | None = None,
    where: Sequence[str] = (),
    part_rows: int = PART_ROWS,
    progress: bool | None = None,
) -> ExplainedFiles:
    """Explain the rows of files that may be larger than memory, and write the explanations as Parquet files.

    Memory does not grow with the files. If the process is killed, the same call goes on with the part that it was writing,
    and leaves the same files.

    Parameters
    ----------
    explainer : ScoringExplainer
        Such as ``scoring_explainer(run)`` or ``load(bundle)`` returns.
    data : path-like or sequence of path-like
        CSV, TSV or Parquet files, or folders of them.
    directory : path-like
        Folder to write. It must not exist, be empty, or hold the same job, which is then continued.
    columns : RowColumns, optional
        What the table says of each row. Default: prediction, probabilities and all values of the predicted class.
    where : sequence of str
        Explain only rows that satisfy these conditions, such as ``"age >= 30"``.
    part_rows : int, default 1,000,000
        Rows of a file written, rounded down to whole blocks of rows that are explained together.
    progress : bool, optional
        If True, show a progress bar with rows a second; if False, none. Default: a bar that appears after two seconds.

    Returns
    -------
    ExplainedFiles
        The files written, and the importance over all rows.

    Raises
    ------
    InvalidInputError
        If a file or option cannot be used, or the folder holds something else.
    ColumnMismatchError
        If a file has other columns than the training table, before any row is explained; or a cell is of another type.
    MissingExtraError
        If pyarrow is not installed.
    HistoryError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from lightgbm import LGBMRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from automl_explain import explain_files, scoring_explainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> scorer = scoring_explainer(LGBMRegressor(n_estimators=20, verbose=-1).fit(X, y), X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     X.to_parquet(f"{folder}/year.parquet")
    ...     done = explain_files(scorer, f"{folder}/year.parquet", f"{folder}/shap")
    ...     pd.read_parquet(f"{folder}/shap/values").shape
    (442, 12)
    >>> done.importance.get_ranked_global_names(top_k=2)
    ['s5', 'bmi']
    """
    if not isinstance(explainer, ScoringExplainer):
        raise InvalidInputError(
            f"The 'explainer' parameter must be a scoring explainer, such as scoring_explainer(explainer) returns. Got "
            f"{type(explainer).__name__}."
        )
    if isinstance(part_rows, bool) or not isinstance(part_rows, int | np.integer) or part_rows < 1:
        raise InvalidInputError(f"The 'part_rows' parameter must be a number of rows, 1 or more. Got {part_rows!r}.")
    columns = columns or RowColumns()
    columns.check(explainer)
    paths = list(data) if isinstance(data, list | tuple) else [data]
    files = RowFiles(paths, explainer.schema, columns.columns, where)
    files.check()
    n_rows = block_rows(explainer, min(int(part_rows), BLOCK_ROWS))
    per_part = max(1, int(part_rows) // n_rows)
    folder = OutputFolder.opened(Path(directory), _job(explainer, files, columns, where, (per_part, n_rows)))
    if not folder.is_complete:
        with progress_bar(files.estimated_rows(), "explaining rows", progress, unit=" rows") as advance:
            for number in range(len(files.files)):
                advance(folder.rows_of(number))
                if not folder.is_file_done(number):
                    _explain_file(explainer, columns, files, number, folder, (per_part, n_rows), advance)
        folder.finish()
    return ExplainedFiles(folder.path, folder.values, folder.num_rows, folder.importance(), *folder.sample())


def explained_blocks(
    explainer: ScoringExplainer, data: Any, columns: RowColumns | None = None
) -> Iterator[pd.DataFrame]:
    """Yield the tables of the rows of files, a block at a time; parameters and errors as in `explain_files`.

    Raises
    ------
    InvalidInputError
        If there are no rows.
    """
    columns = columns or RowColumns()
    columns.check(explainer)
    any_rows = False
    files = RowFiles([data], explainer.schema)
    files.check()
    n_rows = block_rows(explainer)
    for file in files.files:
        for table, _ in _explained(explainer, columns, file, files.blocks(file, n_rows)):
            any_rows = True
            yield table
    if not any_rows:
        raise InvalidInputError(f"There must be at least one row to explain. {data} has none.")


def _explain_file(
    explainer: ScoringExplainer,
    columns: RowColumns,
    files: RowFiles,
    number: int,
    folder: OutputFolder,
    sizes: tuple[int, int],
    advance: Callable[[int], object],
) -> None:
    """Explain the rows of a file that are not done yet, in parts of so many blocks, of so many rows each."""
    (per_part, n_rows), file, done = sizes, files.files[number], folder.parts_of(number)
    blocks = files.blocks(file, n_rows)
    for _ in itertools.islice(blocks, per_part * done):  # read again, which takes a fraction of explaining
        pass
    explained = _explained(explainer, columns, file, ahead(blocks), folder.rows_of(number))
    while (first := next(explained, None)) is not None:
        importance, sample = PartialImportance(), RowSample(folder.num_rows)
        with folder.part(number, schema_of_rows(explainer, columns, files.copied_fields(file))) as part:
            with behind(part.write) as write:
                for table, explanation in itertools.chain([first], itertools.islice(explained, per_part - 1)):
                    write(table)
                    importance.add(explanation)
                    sample.add(explanation)
                    advance(len(table))
            part.importance, part.sample = importance.explanation(), sample.explanation()
    folder.end_file(number)


def schema_of_rows(explainer: ScoringExplainer, columns: RowColumns, copied: Sequence[Any] = ()) -> Any:
    """Return the schema of the table of rows. Numbers that are made are there for each row, so that they need no mask."""
    import pyarrow as pa

    made = [
        one.with_nullable(False) if pa.types.is_floating(one.type) else one for one in columns.arrow_schema(explainer)
    ]
    return pa.schema([*copied, *made])


def _explained(
    explainer: ScoringExplainer, columns: RowColumns, file: RowFile, blocks: Iterator[pd.DataFrame], first: int = 0
) -> Iterator[tuple[pd.DataFrame, Explanation]]:
    """Yield the table and the explanation of each block; errors say which row it is."""
    for rows in blocks:
        yield located(partial(columns.of, explainer), rows, str(file.path), first)
        first += len(rows)


def _job(
    explainer: ScoringExplainer, files: RowFiles, columns: RowColumns, where: Sequence[str], sizes: tuple[int, int]
) -> dict[str, Any]:
    """Return what decides the content of the output, as JSON: a folder is continued only for the same job."""
    stats = [(file.path.resolve(), file.path.stat()) for file in files.files]
    job = {
        "explainer": explainer.identity,
        "files": [(str(path), found.st_size, found.st_mtime_ns) for path, found in stats],
        "columns": asdict(columns) | {"output_class": str(columns.output_class)},
        "where": tuple(where),
        "rows": sizes,
    }
    read_back: dict[str, Any] = json.loads(json.dumps(job))  # as it will be compared: with lists for tuples
    return read_back
