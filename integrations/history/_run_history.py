"""`RunHistory`: the runs of all searches and their explanations, in a directory.

An SQLite file in WAL mode is the index. Each explanation is a file of its own, which is complete before the index refers to
it. If a process is killed, the history can still be opened, and what it left half written is removed then.

Protocol 1: tables ``searches``, ``runs``, ``explanations`` as in `SCHEMA`, ``names`` as in `NAMES`, ``part_losses`` as in
`index_tables/_part_losses.py`, ``shared_rows`` as in `_shared_rows.py`; files ``explanations/<id>.zip``, and the rows that
several of them share in ``explanations/rows-<digest>.zip``. The protocol is SQLite's ``user_version``; a change that older
code would misread raises it, and `_index.py` upgrades older files.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import HistoryError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._storage import EncodedRows
from automl_explain.explainers.stored._any_explanation import AnyExplanation
from automl_explain.integrations.history._entry_files import drop_search
from automl_explain.integrations.history._index import ELSEWHERE
from automl_explain.integrations.history._shared_rows import RowsSeen
from automl_explain.integrations.history._stored_runs import StoredRuns
from automl_explain.integrations.history._storing import NewExplanation, put_explanation
from automl_explain.integrations.history.index_tables._known_ids import known_id, new_id, run_id
from automl_explain.integrations.history.index_tables._owners import Owner, is_own, living, owned
from automl_explain.integrations.history.index_tables._part_losses import put_part_losses
from automl_explain.integrations.history.index_tables._progress import (
    SearchProgress,
    as_json,
    finite_or_none,
    forget_recorded,
)
from automl_explain.integrations.history.index_tables._schema import NAMES


class RunHistory(StoredRuns):
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
        super().__init__(directory)
        self._rows_seen = RowsSeen()

    @classmethod
    def read(cls, history: RunHistory | str | os.PathLike[str] | None) -> RunHistory:
        """Return a history from itself, its directory, or None for the default one.

        Parameters
        ----------
        history : RunHistory, path-like or None
            A history, its directory, or the default.

        Returns
        -------
        RunHistory
            The history.
        """
        return history if isinstance(history, cls) else cls(history)  # type: ignore[arg-type]

    @classmethod
    def to_write(cls, history: RunHistory | str | os.PathLike[str] | None) -> RunHistory:
        """Return a history as `read` does.

        Parameters
        ----------
        history : RunHistory, path-like or None
            A history, its directory, or the default.

        Returns
        -------
        RunHistory
            The history, which can be written.

        Raises
        ------
        HistoryError
            If it can only be read; this is found out before a search, not after it.
        """
        found = cls.read(history)
        if found._index.is_readable_only:
            raise HistoryError(f"The run history {found.directory} can be read, not written. {ELSEWHERE}")
        return found

    @checked
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
            Id of a search that several processes share, or that was recorded when it began.

        Returns
        -------
        str
            Id of the search.
        """
        search = search or new_id()
        with self._index.open() as connection:
            connection.execute(
                "INSERT INTO searches VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET task = excluded.task, facts = excluded.facts",
                (search, engine, task, time.time(), as_json(facts)),
            )
        return search

    @contextlib.contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """Block all other processes and threads from writing to the history and from entering such a block.

        Yields
        ------
        sqlite3.Connection
            To the index. Within the block, nothing else writes.
        """
        with self._index.open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    def progress(self, search: str, spool: str = "", owner: Owner | None = None) -> SearchProgress:
        """Return what records the runs of a search while it goes on in this process; `add_runs` replaces them at its end.

        Parameters
        ----------
        search : str
            Id of the search.
        spool : str, default ""
            Name of the folder of its worker processes.
        owner : Owner, optional
            The process that explains the search. Default: this one.

        Returns
        -------
        SearchProgress
            Records the search with `begin`, each of its trials with `record`, and that it goes on no longer with `end`.
        """
        return SearchProgress(self._index.open, owner or Owner.of(search), spool)

    @checked
    def add_runs(self, search: str, runs: Iterable[Mapping[str, Any]], *, complete: bool = False) -> list[str]:
        """Record the runs of a search in one transaction and return their ids.

        Each run is a mapping with number, learner, config, loss, metric, kind, status, why and sample_size. A name by which
        `named` finds it, and ``part_losses``, the losses of its parts, are optional. The id of the second final model of a
        kind ends with ``-2``, and so on.

        Parameters
        ----------
        search : str
            Id of the search.
        runs : iterable of mappings
            The runs. They replace those of the same ids that `progress` has recorded.
        complete : bool, default False
            Whether they replace all runs of the search that `progress` has recorded.

        Returns
        -------
        list of str
            Ids, in the order of the runs.
        """
        rows, names, parts = [], [], []
        with self._index.open() as connection:
            connection.execute("BEGIN IMMEDIATE")  # no other process may take these ids in the meantime
            known = connection.execute("SELECT id FROM runs WHERE search = ? AND kind != 'trial'", (search,))
            taken = {found for (found,) in known}
            for run in runs:
                loss = finite_or_none(run["loss"])
                named = run_id(search, run["number"], run["kind"])
                if run["kind"] != "trial":
                    ids = (named if place == 1 else f"{named}-{place}" for place in itertools.count(1))
                    named = next(one for one in ids if one not in taken)
                    taken.add(named)
                fields = (run["number"], run["learner"], as_json(run["config"]), loss, run["metric"], run["kind"])
                rows.append((named, search, *fields, run["status"], run["why"], run["sample_size"], None, "[]"))
                names += [(run["name"], named)] if run.get("name") else []
                parts.append((named, run.get("part_losses", ())))
            forget_recorded(connection, search, None if complete else [row[0] for row in rows])
            connection.executemany(f"INSERT INTO runs VALUES ({', '.join('?' * 13)})", rows)
            if names:
                connection.execute(NAMES)
                connection.executemany("INSERT INTO names VALUES (?, ?)", names)
            put_part_losses(connection, parts)
        return [row[0] for row in rows]

    @checked
    def set_status(self, run_id: str, status: str, why: str = "") -> None:
        """Change the status of a run.

        Parameters
        ----------
        run_id : str
            Id of the run.
        status : {"captured", "explained", "skipped", "failed", "interrupted"}
            Its new status.
        why : str, default ""
            The reason.
        """
        with self._index.open() as connection:
            connection.execute("UPDATE runs SET status = ?, why = ? WHERE id = ?", (status, why, run_id))

    @checked
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
            Id of the run.
        explanation : Explanation, TextExplanation or another kind that can be stored
            What is stored.
        comment : str
            Text by which it can be found again.
        seconds : float, optional
            Time that the explanation took.
        part_losses : sequence of float
            Losses of parts of the run, such as blocks of its validation rows.
        share_rows : bool, default False
            Store the explained rows in a file of their own, which explanations of equal rows share.

        Returns
        -------
        str
            Id of the explanation.

        Raises
        ------
        RunNotFoundError
            If the run is not in the history, or another process removes it meanwhile.
        HistoryError
            If the explanation cannot be written.
        """
        rows: EncodedRows | None = None
        if share_rows and isinstance(explanation, Explanation) and explanation.data is not None:
            rows = self._rows_seen.encoded(explanation.data)
        with self._index.open() as connection:
            connection.execute("BEGIN")  # so that the run is there for both statements
            run_id = known_id(connection, run_id, self.directory)
            (search,) = connection.execute("SELECT search FROM runs WHERE id = ?", (run_id,)).fetchone()
            is_owned = is_own(connection, Owner.of(search))
        with (
            contextlib.nullcontext() if is_owned else self.owned(search)
        ):  # after a kill, what is half written is removed
            return put_explanation(
                self, NewExplanation(run_id, search, explanation, rows, comment, seconds, part_losses)
            )

    @checked
    def remove_search(self, search: str) -> None:
        """Remove a search with its runs, explanations, kept models and scoring explainers, and rows that no other search needs.

        Parameters
        ----------
        search : str
            Id of the search.

        Raises
        ------
        RunNotFoundError
            If there is no such search.
        HistoryError
            If it has kept models of another user, and nothing is removed, or if files of it could not be removed.
        """
        self.search(search)
        with self.alone() as connection:
            left = drop_search(connection, self.directory, search)
        if left:
            raise HistoryError(f"The search {search} is removed, but not all of its files: {'; '.join(left)}.")

    @contextlib.contextmanager
    def kept_open(self) -> Iterator[None]:
        """Keep the index open within the block, for storing many explanations one after the other.

        Yields
        ------
        None
            Within the block, the index stays open.
        """
        with self._index.kept_open(), self._rows_seen.kept():
            yield

    @checked
    def owners(self, search: str) -> list[Owner]:
        """Return the other processes that search or explain.

        Parameters
        ----------
        search : str
            Id of the search.

        Returns
        -------
        list of Owner
            Each with its `host` and its number, `process`.
        """
        with self._index.open() as connection:
            return living(connection, search)

    @checked
    def owned(self, search: str) -> contextlib.AbstractContextManager[None]:
        """Note that this process explains a search within the block; if it dies, the runs left are marked as interrupted.

        Parameters
        ----------
        search : str
            Id of the search.

        Returns
        -------
        context manager
            The block.
        """
        return owned(self._index.open, search)
