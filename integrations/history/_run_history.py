"""`RunHistory`: the runs of all searches and their explanations, in a directory.

An SQLite file in WAL mode is the index. Each explanation is a file of its own, which is complete before the index refers to
it. If a process is killed, the history can still be opened; at worst it has an explanation file that the index lacks.

Protocol 1: tables ``searches``, ``runs``, ``explanations`` as in `SCHEMA`, ``names`` as in `NAMES`, ``part_losses`` as in
`_part_losses.py`, ``shared_rows`` as in `_shared_rows.py`; files ``explanations/<id>.zip``, and the rows that several of them
share in ``explanations/rows-<digest>.zip``. The protocol is SQLite's ``user_version``; a change that older code would misread
raises it, and `_index.py` upgrades older files.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import ExplanationNotFoundError, HistoryError, RunNotFoundError
from automl_explain.explainers._files import make_private_folder
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._storage import EncodedRows, save_values
from automl_explain.explainers.stored._any_explanation import AnyExplanation
from automl_explain.integrations.history._index import Index
from automl_explain.integrations.history._known_ids import known_id, new_id, run_id
from automl_explain.integrations.history._labels import labels_file
from automl_explain.integrations.history._owners import end_orphans, owned
from automl_explain.integrations.history._part_losses import PART_LOSSES, get_part_losses, put_part_losses
from automl_explain.integrations.history._place import ELSEWHERE, default_directory
from automl_explain.integrations.history._run import Run, Runs, StoredExplanation
from automl_explain.integrations.history._schema import NAMES, SCORERS, SCORES, has_table
from automl_explain.integrations.history._shared_rows import RowsSeen, drop_rows, put_rows

TOP = 5
"""Most important features kept in the index, for tables of runs."""


class RunHistory:
    """A run history in a directory. Several processes may use it at once.

    Parameters
    ----------
    directory : path-like, optional
        Default: ``$AUTOML_EXPLAIN_HISTORY``, otherwise in the user's data folder. Created if it does not exist, for its owner
        alone, since it holds rows of data. To share it, make it first: ``mkdir DIR; chgrp GROUP DIR; chmod 2770 DIR``.

    Raises
    ------
    HistoryError
        If the directory cannot be created or written, or holds no history.
    FormatVersionError
        If a newer version of automl-explain wrote it.

    Examples
    --------
    >>> import tempfile
    >>> from automl_explain import RunHistory
    >>> RunHistory(tempfile.mkdtemp()).runs()
    []
    """

    @checked
    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        self.directory = Path(directory) if directory is not None else default_directory()
        self._index, self._rows_seen = Index(self.directory), RowsSeen()
        try:
            if self._index.is_readable_only:
                return
            make_private_folder(self._folder)
            with self._index.open() as connection:
                end_orphans(connection)
        except OSError as error:
            why = f"The run history {self.directory} cannot be opened for writing: {error}. {ELSEWHERE}"
            raise HistoryError(why) from error

    @classmethod
    def read(cls, history: RunHistory | str | os.PathLike[str] | None) -> RunHistory:
        """Return a history from itself, its directory, or None for the default one."""
        return history if isinstance(history, cls) else cls(history)  # type: ignore[arg-type]

    @classmethod
    def to_write(cls, history: RunHistory | str | os.PathLike[str] | None) -> RunHistory:
        """Return a history as `read` does.

        Raises
        ------
        HistoryError
            If it can only be read; this is found out before a search, not after it.
        """
        found = cls.read(history)
        if found._index.is_readable_only:
            raise HistoryError(f"The run history {found.directory} can be read, not written. {ELSEWHERE}")
        return found

    def __repr__(self) -> str:
        return f"RunHistory({str(self.directory)!r})"

    # ---------------------------------------------------------------- writing

    def start_search(self, engine: str, task: str, facts: Mapping[str, Any], *, search: str | None = None) -> str:
        """Record a search and return its id.

        Parameters
        ----------
        engine : str
            Such as "flaml".
        task : str
            Such as "binary".
        facts : mapping
            JSON-serialisable settings, versions and shapes of the data.
        search : str, optional
            Id of a search that several processes share; the first one records it.
        """
        search = search or new_id()
        with self._index.open() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO searches VALUES (?, ?, ?, ?, ?)",
                (search, engine, task, time.time(), _json(facts)),
            )
        return search

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Block all other processes and threads from writing to the history and from entering such a block."""
        with self._index.open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield

    def add_runs(self, search: str, runs: Iterable[Mapping[str, Any]]) -> list[str]:
        """Record the runs of a search in one transaction and return their ids.

        Each run is a mapping with number, learner, config, loss, metric, kind, status, why and sample_size. A name by which
        `named` finds it, and ``part_losses``, the losses of its parts, are optional. The id of the second final model of a
        kind ends with ``-2``, and so on.
        """
        rows, names, parts = [], [], []
        with self._index.open() as connection:
            connection.execute("BEGIN IMMEDIATE")  # no other process may take these ids in the meantime
            known = connection.execute("SELECT id FROM runs WHERE search = ? AND kind != 'trial'", (search,))
            taken = {found for (found,) in known}
            for run in runs:
                loss = run["loss"] if run["loss"] is not None and math.isfinite(run["loss"]) else None
                named = run_id(search, run["number"], run["kind"])
                if run["kind"] != "trial":
                    ids = (named if place == 1 else f"{named}-{place}" for place in itertools.count(1))
                    named = next(one for one in ids if one not in taken)
                    taken.add(named)
                fields = (run["number"], run["learner"], _json(run["config"]), loss, run["metric"], run["kind"])
                rows.append((named, search, *fields, run["status"], run["why"], run["sample_size"], None, "[]"))
                names += [(run["name"], named)] if run.get("name") else []
                parts.append((named, run.get("part_losses", ())))
            connection.executemany(f"INSERT INTO runs VALUES ({', '.join('?' * 13)})", rows)
            if names:
                connection.execute(NAMES)
                connection.executemany("INSERT INTO names VALUES (?, ?)", names)
            put_part_losses(connection, parts)
        return [row[0] for row in rows]

    def set_status(self, run_id: str, status: str, why: str = "") -> None:
        """Change the status of a run."""
        with self._index.open() as connection:
            connection.execute("UPDATE runs SET status = ?, why = ? WHERE id = ?", (status, why, run_id))

    def store(
        self,
        run_id: str,
        explanation: AnyExplanation,
        *,
        comment: str = "",
        seconds: float | None = None,
        part_losses: Sequence[float] = (),
        share_rows: bool = False,
    ) -> str:
        """Store an explanation of a run, mark the run as explained, and return the explanation's id.

        Parameters
        ----------
        run_id : str
        explanation : Explanation, TextExplanation or another kind that can be stored
        comment : str
        seconds : float, optional
            Time that the explanation took.
        part_losses : sequence of float
            Losses of parts of the run, such as blocks of its validation rows.
        share_rows : bool, default False
            Store the explained rows in a file of their own, which explanations of equal rows share.

        Raises
        ------
        RunNotFoundError
            If the run is not in the history.
        """
        order = np.argsort(-explanation.global_importance_values, kind="stable")[:TOP]
        shown = [[explanation.feature_labels[j], float(explanation.global_importance_values[j])] for j in order]
        rows: EncodedRows | None = None
        if share_rows and isinstance(explanation, Explanation) and explanation.data is not None:
            rows = self._rows_seen.encoded(explanation.data)
        with self._index.open() as connection:
            run_id = known_id(connection, run_id, self.directory)
        explanation_id = f"{run_id}-{secrets.token_hex(3)}"
        try:
            if rows is not None and isinstance(explanation, Explanation):
                save_values(self._file(explanation_id), explanation, explanation.members, rows.digest)
            else:
                explanation.save(self._file(explanation_id))
            with self._index.open() as connection:
                connection.execute("BEGIN IMMEDIATE")  # no other process may remove the rows in the meantime
                if rows is not None:
                    put_rows(connection, self._folder, explanation_id, rows)
                connection.execute(
                    "INSERT INTO explanations VALUES (?, ?, ?, ?, ?)",
                    (explanation_id, run_id, time.time(), comment, int(explanation.is_raw)),
                )
                connection.execute(
                    "UPDATE runs SET status = 'explained', why = '', seconds = COALESCE(?, seconds), top = ? WHERE id = ?",
                    (seconds, _json(shown), run_id),
                )
                put_part_losses(connection, [(run_id, part_losses)])
        except OSError as error:
            self._file(explanation_id).unlink(missing_ok=True)
            raise HistoryError(
                f"The explanation of run {run_id} cannot be written to {self.directory}: {error}."
            ) from error
        return explanation_id

    def remove_search(self, search: str) -> None:
        """Remove a search with its runs, explanations and scoring explainers, and rows that no other search needs.

        Raises
        ------
        RunNotFoundError
            If there is no such search.
        """
        self.search(search)
        with self._index.open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            runs = "SELECT id FROM runs WHERE search = ?"
            found = connection.execute(f"SELECT id FROM explanations WHERE run IN ({runs})", (search,)).fetchall()
            gone = [file for (one,) in found for file in (self._file(one), labels_file(self.directory, one))]
            gone += drop_rows(connection, self._folder, [explanation for (explanation,) in found])
            ids = connection.execute(runs, (search,)).fetchall()
            kept = ((SCORERS, "zip"), (SCORERS, "json"), (SCORES, "json"))
            gone += [self.directory / folder / f"{run}.{end}" for (run,) in ids for folder, end in kept]
            connection.execute(NAMES)
            connection.execute(PART_LOSSES)
            for table in ("explanations", "names", "part_losses"):
                connection.execute(f"DELETE FROM {table} WHERE run IN ({runs})", (search,))
            connection.execute("DELETE FROM runs WHERE search = ?", (search,))
            connection.execute("DELETE FROM searches WHERE id = ?", (search,))
            for file in gone:
                file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def kept_open(self) -> Iterator[None]:
        """Keep the index open within the block, for storing many explanations one after the other."""
        with self._index.kept_open():
            yield

    def owned(self, search: str) -> contextlib.AbstractContextManager[None]:
        """Note that this process explains a search within the block; if it dies, the runs left are marked as interrupted."""
        return owned(self._index.open, search)

    # ---------------------------------------------------------------- reading

    def runs(self, search: str | None = None) -> list[Run]:
        """Return the runs of one search or of all searches, oldest search first, in the order of each search.

        The text of the list says first which final models were not explained.
        """
        where = "WHERE runs.search = ?" if search else ""
        with self._index.open() as connection:
            rows = connection.execute(
                f"SELECT runs.* FROM runs JOIN searches ON searches.id = runs.search {where} "
                "ORDER BY searches.created, runs.number",
                (search,) if search else (),
            ).fetchall()
        return Runs(self._runs(rows))

    def run(self, run_id: str) -> Run:
        """Return one run by its id, or by the first characters of it if they are unique.

        Raises
        ------
        RunNotFoundError
            If there is no such run, or more than one; the message names the nearest.
        """
        with self._index.open() as connection:
            known = known_id(connection, run_id, self.directory)
            row = connection.execute("SELECT * FROM runs WHERE id = ?", (known,)).fetchone()
        return self._runs([row])[0]

    def named(self, name: str) -> list[Run]:
        """Return the runs that were recorded with a name; names need not be unique."""
        with self._index.open() as connection:
            if not has_table(connection, "names"):
                return []
            rows = connection.execute(
                "SELECT runs.* FROM runs JOIN names ON names.run = runs.id WHERE names.name = ?", (name,)
            ).fetchall()
        return self._runs(rows)

    def search(self, search: str) -> dict[str, Any]:
        """Return the record of a search: id, engine, task, created, facts."""
        with self._index.open() as connection:
            row = connection.execute("SELECT * FROM searches WHERE id = ?", (search,)).fetchone()
        if row is None:
            raise RunNotFoundError(f"There is no search {search!r} in {self.directory}.")
        return dict(zip(("id", "engine", "task", "created"), row[:4], strict=True)) | {"facts": json.loads(row[4])}

    def part_losses(self, search: str) -> dict[str, tuple[float, ...]]:
        """Return the losses of each run's parts, such as folds; runs of which they are not known are left out."""
        with self._index.open() as connection:
            return get_part_losses(connection, search)

    def searches(self) -> list[str]:
        """Return the ids of all searches, oldest first."""
        with self._index.open() as connection:
            return [row[0] for row in connection.execute("SELECT id FROM searches ORDER BY created")]

    def explanations(self, run_id: str) -> list[StoredExplanation]:
        """Return the descriptions of a run's explanations, oldest first."""
        with self._index.open() as connection:
            rows = connection.execute(
                "SELECT id, run, created, comment, is_raw FROM explanations WHERE run = ? ORDER BY created, rowid",
                (run_id,),
            ).fetchall()
        return [
            StoredExplanation(id_, run, datetime.fromtimestamp(created, UTC), comment, bool(is_raw))
            for id_, run, created, comment, is_raw in rows
        ]

    def explanation(self, run_id: str, explanation_id: str | None = None) -> Any:
        """Return an explanation of a run, by default the most recent, as the class that was stored.

        Raises
        ------
        RunNotFoundError
            If there is no such run.
        ExplanationNotFoundError
            If the run has no such explanation; the message has its status, the reason, and how to get one.
        HistoryError
            If the explanation's file cannot be read.
        """
        run = self.run(run_id)
        with self._index.open() as connection:
            row = connection.execute(
                "SELECT id FROM explanations WHERE run = ? AND id = COALESCE(?, id) ORDER BY created DESC, rowid DESC LIMIT 1",
                (run.id, explanation_id),
            ).fetchone()
        if row is None:
            why = f" ({run.why})" if run.why else ""
            raise ExplanationNotFoundError(
                f"Run {run.id} has no explanation: its status is {run.status}{why}. Explain a model with "
                "explain_model(fitted_model, X_train, X_test, best_run=run), or search with a larger "
                "ExplainabilityOptions(time_budget=...)."
            )
        try:
            return Explanation.load(self._file(row[0]))
        except OSError as error:
            raise HistoryError(
                f"The explanation of run {run.id} cannot be read: {error}. Create it again with explain_model(fitted_model, "
                "X_train, X_test, best_run=run)."
            ) from error

    # ---------------------------------------------------------------- private

    @property
    def _folder(self) -> Path:
        return self.directory / "explanations"

    def _file(self, explanation_id: str) -> Path:
        return self._folder / f"{explanation_id}.zip"

    def _runs(self, rows: Sequence[tuple[Any, ...]]) -> list[Run]:
        """Return the runs of complete rows. Their JSON is parsed in one step, which is faster than cell by cell."""
        configs, tops = (json.loads(f"[{','.join(row[place] for row in rows)}]") for place in (4, 12))
        every: Iterator[tuple[Any, ...]] = (
            (*row[:4], config, *row[5:12], tuple(map(tuple, top)), self)
            for row, config, top in zip(rows, configs, tops, strict=True)
        )
        return [Run(*values) for values in every]


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else str(value)
