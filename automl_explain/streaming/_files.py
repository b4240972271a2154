"""Files of rows, read a block at a time: CSV, TSV and Parquet files and folders of them, through pyarrow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_explain.explainers._errors import ColumnMismatchError, InvalidInputError, MissingExtraError
from automl_explain.explainers.scoring.columns._schema import Column, Schema, unknown_columns
from automl_explain.explainers.tables._arrow_tables import as_coded_frame, is_text
from automl_explain.explainers.tables._formats import MISSING

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import dataset as ds

KINDS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "tsv", ".txt": "csv"}
"""Ending of a file's name -> its kind."""
COMPRESSED = (".gz", ".bz2", ".lz4", ".zst")
"""Further endings of text files."""
CONDITION = re.compile(r"^\s*(?P<column>.+?)\s*(?P<sign>==|!=|<=|>=|=|<|>)\s*(?P<value>.*?)\s*$")
"""A condition on a column, such as ``age >= 30``."""
NUMBERS = ("int", "uint", "halffloat", "float", "double", "decimal")
"""Beginnings of the names of Arrow's types of numbers."""
SIGNS = ("=", "!", "<", ">")
"""Beginnings of a value that are rather a sign written the wrong way round, as in ``age => 30``."""
SAMPLE_BYTES = 1 << 16
"""Bytes of a text file from which its number of rows is estimated."""


@dataclass(frozen=True)
class RowFile:
    """A file of rows.

    Parameters
    ----------
    path : Path
    base : Path
        The folder that was named, below which the names of folders may give columns, as in ``year=2024/``.
    """

    path: Path
    base: Path

    @property
    def kind(self) -> str:
        """csv, tsv or parquet."""
        return KINDS[_ending(self.path)]


class RowFiles:
    """The rows of files, as a model takes them.

    Parameters
    ----------
    paths : sequence of path-like
        Files, or folders whose files are read in the order of their names. Names that begin with a dot or an underscore are
        left out.
    schema : Schema
        The columns of the model, which say how text is read.
    columns : tuple of str
        Other columns that are read.
    where : sequence of str
        Conditions that rows must satisfy, such as ``"age >= 30"``.

    Raises
    ------
    InvalidInputError
        If there is no such file, one is of another kind, or a condition cannot be read.
    MissingExtraError
        If pyarrow is not installed.
    """

    def __init__(
        self, paths: Sequence[Any], schema: Schema, columns: tuple[str, ...] = (), where: Sequence[str] = ()
    ) -> None:
        if find_spec("pyarrow") is None:
            raise MissingExtraError("Reading files as a stream needs pyarrow: pip install 'automl-explain[parquet]'")
        self.files = tuple(file for path in paths for file in files_in(Path(path)))
        if not self.files:
            raise InvalidInputError(f"There are no files of rows in {', '.join(map(str, paths))}.")
        self._schema, self._copied = schema, columns
        self._where = tuple(map(_condition, where))

    def check(self) -> None:
        """Compare the columns of every file with those of the model and with the conditions, before any row is read.

        Raises
        ------
        InvalidInputError
            If the value of a condition is of another type than its column.
        ColumnMismatchError
            If a file lacks a column, has text where the model takes numbers, or a copied column holds text in one file and
            numbers in another; the message names the file.
        """
        seen: dict[str, tuple[str, RowFile]] = {}
        for file in self.files:
            types = self._checked_names(file)
            for name in self._copied:
                kind = _what_holds(types[name])
                first, other = seen.setdefault(name, (kind, file))
                if first != kind:
                    raise ColumnMismatchError(
                        f"Column {name!r} of {file.path} has {kind}, that of {other.path} {first}. A column that is copied must "
                        "hold the same in all files."
                    )
            if self._where:
                self._scanner(file, {}, 1)

    def blocks(self, file: RowFile, n_rows: int) -> Iterator[pd.DataFrame]:
        """Yield the rows of a file in blocks of `n_rows` rows; the last one may have fewer.

        Raises
        ------
        InvalidInputError
            If the file cannot be read, or a cell is no number where the model takes numbers; the message names the file.
        """
        import pyarrow as pa

        names = self._checked_names(file)
        waiting: list[pa.RecordBatch] = []
        count = 0
        try:
            for batch in self._scanner(file, names, n_rows).to_batches():
                while count + len(batch) >= n_rows:
                    cut = n_rows - count
                    yield self._frame([*waiting, batch.slice(0, cut)], file)
                    waiting, count, batch = [], 0, batch.slice(cut)
                if len(batch):
                    waiting.append(batch)
                    count += len(batch)
            if count:
                yield self._frame(waiting, file)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError) as error:
            raise InvalidInputError(f"{file.path} cannot be read: {str(error).strip().splitlines()[0]}") from error

    def copied_fields(self, file: RowFile) -> list[pa.Field]:
        """Return the columns of a file that are copied, with their types, whatever the first rows hold."""
        import pyarrow as pa

        schema = _dataset(file, self._text_types).schema
        fields = [schema.field(name) for name in self._copied]
        coded = pa.types.is_dictionary
        return [pa.field(one.name, one.type.value_type if coded(one.type) else one.type) for one in fields]

    def estimated_rows(self) -> int | None:
        """Return about how many rows the files have; None if that is not known."""
        counts = [None if self._where else _row_count(file) for file in self.files]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    # ---------------------------------------------------------------- private

    @cached_property
    def _kinds_of_columns(self) -> dict[str, Column]:
        return {column.name: column for column in self._schema.columns}

    @cached_property
    def _text_types(self) -> dict[str, Any]:
        """Arrow types by which columns of text files are read: the type of the first rows must not decide."""
        import pyarrow as pa

        compared = {column for column, _, _ in self._where}
        copied = {
            name: pa.string() for name in self._copied if name not in compared
        }  # an id such as 007 stays as it is
        return copied | {name: _text_type(column) for name, column in self._kinds_of_columns.items()}

    def _checked_names(self, file: RowFile) -> dict[str, str]:
        """Return the columns to read: name -> Arrow type in the file."""
        types = _types(file)
        present, where = list(types), str(file.path)
        wanted = list(self._schema.found_in(present, where, self._copied))
        wanted += [name for name in self._copied if name not in wanted]
        needed = [*wanted, *(column for column, _, _ in self._where)]
        if missing := [name for name in needed if name not in types]:
            raise unknown_columns(missing, present, where)
        for name, column in self._kinds_of_columns.items():
            text = file.kind == "parquet" and types.get(name) in ("string", "large_string", "binary")
            if text and column.kind == "number":
                raise ColumnMismatchError(
                    f"Column {name!r} of {where} has text. The model takes numbers ({column.dtype})."
                )
        return {name: types[name] for name in wanted}

    def _scanner(self, file: RowFile, names: dict[str, str], n_rows: int) -> ds.Scanner:
        from pyarrow import dataset as ds

        dataset = _dataset(file, self._text_types)
        # few blocks are read ahead, so that memory does not grow with the file
        return dataset.scanner(
            columns=list(names),
            filter=_filter(self._where, dataset.schema, trims=file.kind != "parquet"),
            batch_size=n_rows,
            batch_readahead=2,
            fragment_readahead=1,
            fragment_scan_options=ds.ParquetFragmentScanOptions(use_buffered_stream=True, pre_buffer=False)
            if file.kind == "parquet"
            else None,
        )

    def _frame(self, batches: list[pa.RecordBatch], file: RowFile) -> pd.DataFrame:
        """Return batches as a frame."""
        import pyarrow as pa

        table = pa.Table.from_batches(batches)
        if file.kind != "parquet":
            for position, field in enumerate(table.schema):
                if is_text(field.type):
                    table = table.set_column(position, field.name, _trimmed(table.column(position)))
        return as_coded_frame(table, self._kinds_of_columns)


def files_in(path: Path) -> list[RowFile]:
    """Return a file of rows, or those of a folder in the order of their names.

    Raises
    ------
    InvalidInputError
        If there is no such file or folder, or a file of another kind.
    """
    if path.is_file():
        _check_kind(path)
        return [RowFile(path, path.parent)]
    if not path.is_dir():
        raise InvalidInputError(f"There is no file or folder {path}.")
    try:
        inside = [
            one
            for one in sorted(path.rglob("*"))
            if one.is_file() and not any(part.startswith((".", "_")) for part in one.relative_to(path).parts)
        ]
    except OSError as error:
        raise InvalidInputError(f"The files of the folder {path} cannot be listed: {error}.") from error
    for one in inside:
        _check_kind(one)
    return [RowFile(one, path) for one in inside]


def _check_kind(path: Path) -> None:
    if _ending(path) not in KINDS:
        raise InvalidInputError(
            f"{path} must be a .csv, .tsv or .parquet file; text files may be compressed ({', '.join(COMPRESSED)})."
        )


def _ending(path: Path) -> str:
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    if endings and endings[-1] in COMPRESSED:
        endings.pop()
    return endings[-1] if endings else ""


def _header(file: RowFile) -> list[str]:
    """Return the names of the columns of a text file, without the spaces that may follow a separator."""
    from pyarrow import csv

    try:
        with csv.open_csv(file.path, parse_options=csv.ParseOptions(delimiter=_separator(file))) as reader:
            return [name.strip() for name in reader.schema.names]
    except (ValueError, OSError) as error:
        raise InvalidInputError(f"{file.path} cannot be read as a table: {str(error).splitlines()[0]}") from error


def _separator(file: RowFile) -> str:
    return "\t" if file.kind == "tsv" else ","


def _types(file: RowFile) -> dict[str, str]:
    """Return the columns of a file with their Arrow types, and those that the names of its folders give."""
    if file.kind != "parquet":
        found = dict.fromkeys(_header(file), "")
        return found | dict.fromkeys(_partition_names(file), "")
    try:
        schema = _dataset(file, {}).schema
    except (ValueError, OSError) as error:
        raise InvalidInputError(f"{file.path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    return {field.name: str(field.type) for field in schema}


def _what_holds(kind: str) -> str:
    """Return what a column of an Arrow type holds, in a word; of text files, columns that are copied are texts."""
    if not kind or "string" in kind:
        return "text"
    return "numbers" if kind.startswith(NUMBERS) else kind.partition("[")[0]


def _partition_names(file: RowFile) -> list[str]:
    folders = file.path.relative_to(file.base).parts[:-1]
    return [folder.partition("=")[0] for folder in folders if "=" in folder]


def _dataset(file: RowFile, text_types: dict[str, Any]) -> ds.Dataset:
    from pyarrow import csv
    from pyarrow import dataset as ds

    form: Any = "parquet"
    if file.kind != "parquet":
        names = _header(file)
        form = ds.CsvFileFormat(
            parse_options=csv.ParseOptions(delimiter=_separator(file)),
            read_options=csv.ReadOptions(column_names=names, skip_rows=1),
            convert_options=csv.ConvertOptions(
                column_types={name: text_types[name] for name in names if text_types.get(name) is not None},
                null_values=list(MISSING),
                strings_can_be_null=True,
            ),
        )
    partitioning = ds.partitioning(flavor="hive")
    return ds.dataset(str(file.path), format=form, partitioning=partitioning, partition_base_dir=str(file.base))


def _text_type(column: Column) -> Any:
    """Return the Arrow type by which a column of the model is read from a text file."""
    import pyarrow as pa

    known = column.categories
    if column.kind == "date":
        return pa.string()  # the column says how they are read
    if known is None:
        return pa.bool_() if column.dtype in ("bool", "boolean") else pa.float64()
    if all(isinstance(one, bool) for one in known):
        return pa.bool_()
    return pa.float64() if all(isinstance(one, int | float) for one in known) else pa.string()


def _trimmed(column: Any) -> Any:
    """Remove the spaces that may follow a separator; a cell of spaces alone, or that reads as missing, is missing."""
    import pyarrow as pa
    from pyarrow import compute as pc

    cells = pc.utf8_ltrim_whitespace(column)
    return pc.if_else(pc.is_in(cells, value_set=pa.array(MISSING, cells.type)), pa.scalar(None, cells.type), cells)


def _row_count(file: RowFile) -> int | None:
    """Return the number of rows of a Parquet file; about that of a text file, None if it is compressed."""
    if file.kind == "parquet":
        return int(_dataset(file, {}).count_rows())
    if file.path.suffix.lower() in COMPRESSED:
        return None
    with file.path.open("rb") as stream:
        some = stream.read(SAMPLE_BYTES)
    lines = some.count(b"\n")
    return int(file.path.stat().st_size * lines / len(some)) if lines else None


def _condition(text: str) -> tuple[str, str, str]:
    found = CONDITION.match(text)
    if found is None or found["value"].startswith(SIGNS):  # as in 'age => 30'
        raise InvalidInputError(
            f"A condition must compare a column with a value, such as 'age >= 30' or 'state = CA'. Got {text!r}. Put a value "
            "that begins with a sign between quotes."
        )
    return found["column"], found["sign"].replace("==", "="), found["value"].strip("'\"")


def _filter(conditions: Sequence[tuple[str, str, str]], schema: pa.Schema, *, trims: bool) -> Any:
    """Return the conditions as one Arrow expression; their values are read as the type of the column.

    With `trims`, spaces before texts do not count, as in `_trimmed`.
    """
    import operator

    import pyarrow as pa
    from pyarrow import compute as pc

    signs = {
        "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    }  # fmt: skip
    found = None
    for name, sign, value in conditions:
        kind = schema.field(name).type
        try:
            typed = pa.scalar(value).cast(kind.value_type if pa.types.is_dictionary(kind) else kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InvalidInputError(
                f"{value!r} cannot be compared with column {name!r}, which holds {kind}."
            ) from error
        cells = pc.utf8_ltrim_whitespace(pc.field(name)) if trims and is_text(kind) else pc.field(name)
        one = signs[sign](cells, typed)
        found = one if found is None else found & one
    return found
