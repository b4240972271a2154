"""`OutputFolder`: explained rows in parts, of which each is there whole or not at all.

The folder holds

- ``values/part-00000.parquet``, ...: the table of rows, in the order of the files;
- ``importance.csv`` and ``importance.explanation``: the global importance, written at the end;
- ``rows.explanation``: up to 2,000 of the rows, evenly spaced, with all their values, written at the end;
- ``manifest.json``: the job, and which parts are done. A part is done when the manifest says so;
- ``partial/``: the global importance and some rows of each part, until the end.

A part that was begun is written again. The parts are the same after any interruption, since they are cut by rows, and a block
of rows always has the same values.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pandas as pd

from automl_explain.explainers._errors import HistoryError, InvalidInputError
from automl_explain.explainers._files import write_whole, written_whole
from automl_explain.explainers._processes import writer_of
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.parts._partial_importance import merged
from automl_explain.explainers.parts._row_sample import sample_of, sampled
from automl_explain.explainers.tables._table import Table

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 2
MANIFEST = "manifest.json"


@dataclass(eq=False)
class Part:
    """A part that is being written: tables of rows, and at the end the importance of all of them and some of the rows."""

    stream: BinaryIO
    schema: pa.Schema
    importance: Explanation | None = None
    sample: Explanation | None = None
    rows: int = 0
    _writer: Any = None

    def write(self, table: pd.DataFrame) -> None:
        """Add the table of a block of rows."""
        import pyarrow as pa
        from pyarrow import parquet as pq

        if self._writer is None:
            repeating = [one.name for one in self.schema if not pa.types.is_floating(one.type)]
            self._writer = pq.ParquetWriter(self.stream, self.schema, use_dictionary=repeating)
        cells = [_arrow_cells(table[field.name], field) for field in self.schema]
        self._writer.write_table(pa.Table.from_arrays(cells, schema=self.schema))
        self.rows += len(table)

    def close(self) -> None:
        """Write the end of the file."""
        self._writer.close()


@dataclass(eq=False)
class OutputFolder:
    """A folder of explained rows.

    Parameters
    ----------
    path : Path
    job : dict
        What decides the content, as JSON.
    parts : list of [int, int]
        Of each part that is done, the number of its file and of its rows.
    files_done : int
        Files whose parts are all done.
    is_complete : bool
        Whether all is done.
    """

    path: Path
    job: dict[str, Any]
    parts: list[list[int]] = field(default_factory=list)
    files_done: int = 0
    is_complete: bool = False

    @classmethod
    def opened(cls, path: Path, job: dict[str, Any]) -> OutputFolder:
        """Make a folder, or open one that holds some of the same job.

        Raises
        ------
        InvalidInputError
            If it holds anything else, or another process is writing to it.
        HistoryError
            If it cannot be written.
        """
        if path.exists() and not path.is_dir():
            raise InvalidInputError(f"{path} is no folder. Name another place.")
        if not (path / MANIFEST).exists():
            if path.exists() and any(not one.name.endswith(".part") for one in path.iterdir()):
                raise InvalidInputError(f"The folder {path} is not empty. Name another one, or empty it.")
            made = cls(path, job)
            made._write_manifest()
        else:
            made = cls._read(path, job)
        try:
            for name in ("values", "partial"):
                (path / name).mkdir(exist_ok=True)
            for left in path.rglob(".*.part"):
                if (writer := writer_of(left)) is not None:
                    raise InvalidInputError(
                        f"The process {writer} is writing to the folder {path}. Wait for its end, or name another folder."
                    )
                left.unlink()  # of a process that was killed
            if made.is_complete:
                shutil.rmtree(path / "partial")
        except OSError as error:
            raise HistoryError(f"The folder {path} cannot be written: {error.strerror or error}.") from error
        return made

    @classmethod
    def _read(cls, path: Path, job: dict[str, Any]) -> OutputFolder:
        try:
            kept = json.loads((path / MANIFEST).read_bytes())
            made = cls(path, kept["job"], kept["parts"], kept["files_done"], kept["is_complete"])
            known = kept["format"] == FORMAT
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(
                f"{path / MANIFEST} cannot be read. Name another folder, or empty this one."
            ) from error
        if not known or made.job != job:
            other = [name for name in job if made.job.get(name) != job[name]]
            raise InvalidInputError(
                f"The folder {path} holds explanations of something else: {', '.join(other) or 'format'} differ. Name another "
                "folder, or empty this one."
            )
        return made

    @property
    def values(self) -> tuple[Path, ...]:
        """The files of rows."""
        return tuple(self._value_file(number) for number in range(len(self.parts)))

    @property
    def num_rows(self) -> int:
        """Rows of all parts that are done."""
        return sum(rows for _, rows in self.parts)

    def rows_of(self, file: int) -> int:
        """Return how many rows of a file are done."""
        return sum(rows for number, rows in self.parts if number == file)

    def parts_of(self, file: int) -> int:
        """Return how many parts of a file are done."""
        return sum(number == file for number, _ in self.parts)

    def is_file_done(self, file: int) -> bool:
        """Whether all parts of a file are done."""
        return file < self.files_done

    @contextmanager
    def part(self, file: int, schema: pa.Schema) -> Iterator[Part]:
        """Write the next part of a file, a table of this schema; it is done when the block ends without an error.

        Raises
        ------
        HistoryError
            If it cannot be written.
        """
        number = len(self.parts)
        try:
            with written_whole(self._value_file(number)) as stream:
                part = Part(stream, schema)
                yield part
                part.close()
            assert part.importance is not None
            assert part.sample is not None
            part.importance.save(self._partial_file(number))
            part.sample.save(self._sample_file(number))
        except OSError as error:
            raise HistoryError(f"{self._value_file(number)} cannot be written: {error.strerror or error}.") from error
        self.parts.append([file, part.rows])
        self._write_manifest()

    def end_file(self, file: int) -> None:
        """Note that all parts of a file are done."""
        self.files_done = file + 1
        self._write_manifest()

    def finish(self) -> None:
        """Merge the importance of the parts, and their rows."""
        whole = merged(Explanation.load(self._partial_file(number)) for number in range(len(self.parts)))
        whole.save(self.path / "importance.explanation")
        found = whole.global_importance()
        table = found.to_frame()
        if found.class_values is not None and found.classes is not None:
            for label, values in zip(found.classes, found.class_values, strict=True):
                table[f"importance of {label}"] = pd.Series(values, index=found.features)
        write_whole(self.path / "importance.csv", table.to_csv().encode())
        samples: list[Explanation] = [Explanation.load(self._sample_file(number)) for number in range(len(self.parts))]
        sample = sample_of([rows for _, rows in self.parts], samples)
        numbers = sampled(self.num_rows, sample.num_examples)
        if sample.data is not None and sample.data.is_frame:
            sample = replace(sample, data=Table(sample.data.data.set_axis(list(numbers)), sample.data.names))
        sample.save(self.path / "rows.explanation")
        self.is_complete = True
        self._write_manifest()
        shutil.rmtree(self.path / "partial")

    def importance(self) -> Explanation:
        """Return the global importance of a folder that is complete."""
        found: Explanation = Explanation.load(self.path / "importance.explanation")
        return found

    def sample(self) -> tuple[Explanation, list[int]]:
        """Return some of the rows of a folder that is complete, evenly spaced, and their numbers among all rows.

        The numbers are also the index of the explanation's table.
        """
        found: Explanation = Explanation.load(self.path / "rows.explanation")
        return found, list(sampled(self.num_rows, found.num_examples))

    # ---------------------------------------------------------------- private

    def _value_file(self, number: int) -> Path:
        return self.path / "values" / f"part-{number:05}.parquet"

    def _partial_file(self, number: int) -> Path:
        return self.path / "partial" / f"part-{number:05}.explanation"

    def _sample_file(self, number: int) -> Path:
        return self.path / "partial" / f"rows-{number:05}.explanation"

    def _write_manifest(self) -> None:
        names = ("job", "parts", "files_done", "is_complete")
        facts = {"format": FORMAT, **{name: getattr(self, name) for name in names}}
        write_whole(self.path / MANIFEST, json.dumps(facts).encode())


def _arrow_cells(cells: pd.Series, field: pa.Field) -> pa.Array:
    """Return a column as Arrow has it. Columns without missing cells are numbers, and are not looked through for any."""
    import pyarrow as pa

    if not field.nullable:
        return pa.array(cells.to_numpy(), field.type)
    found = pa.array(cells, from_pandas=True)
    return found if found.type == field.type else found.cast(field.type)
