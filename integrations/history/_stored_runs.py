"""`StoredRuns`: the runs of a history and their explanations, as they are read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import ExplanationNotFoundError, HistoryError, RunNotFoundError
from automl_explain.explainers._files import make_private_folder
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.integrations.history._index import ELSEWHERE, Index, default_directory
from automl_explain.integrations.history._noted import cells
from automl_explain.integrations.history._run import Run, Runs, StoredExplanation, why_unexplained
from automl_explain.integrations.history._sweep import sweep
from automl_explain.integrations.history.index_tables._known_ids import FIRST, known_id
from automl_explain.integrations.history.index_tables._owners import end_orphans
from automl_explain.integrations.history.index_tables._part_losses import get_part_losses
from automl_explain.integrations.history.index_tables._schema import EXPLANATIONS, has_table
from automl_explain.integrations.sealed._places import place_of


class StoredRuns:
    """The part of `RunHistory` that reads; its parameters and errors are described there."""

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        self.directory = Path(directory) if directory is not None else default_directory()
        self._index = Index(self.directory)
        try:
            if self._index.is_readable_only:
                return
            make_private_folder(self._folder)
            with self._index.open() as connection:
                if ended := end_orphans(connection):
                    sweep(connection, self.directory, ended)
        except OSError as error:
            why = f"The run history {self.directory} cannot be opened for writing: {error}. {ELSEWHERE}"
            raise HistoryError(why) from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.directory)!r})"

    @checked
    def runs(self, search: str | None = None) -> list[Run]:
        """Return the runs of one search or of all searches, oldest search first, in the order of each search.

        The text of the list says first which final models were not explained.

        Parameters
        ----------
        search : str, optional
            Id of a search. Default: all searches.

        Returns
        -------
        list of Run
            A list that prints, and that notebooks show, as a table; `to_frame` makes a DataFrame of it.
        """
        where = "WHERE runs.search = ?" if search else ""
        with self._index.open() as connection:
            rows = connection.execute(
                f"SELECT runs.* FROM runs JOIN searches ON searches.id = runs.search {where} "
                f"ORDER BY {FIRST}, runs.number",
                (search,) if search else (),
            ).fetchall()
        return Runs(self._runs(rows))

    @checked
    def run(self, run_id: str) -> Run:
        """Return one run by its id, or by the first characters of it if they are unique.

        Parameters
        ----------
        run_id : str
            The id, or its first characters.

        Returns
        -------
        Run
            The run.

        Raises
        ------
        RunNotFoundError
            If there is no such run, or more than one; the message names the nearest.
        """
        with self._index.open() as connection:
            known = known_id(connection, run_id, self.directory)
            row = connection.execute("SELECT * FROM runs WHERE id = ?", (known,)).fetchone()
        return self._runs([row])[0]

    @checked
    def named(self, name: str) -> list[Run]:
        """Return the runs that were recorded with a name; names need not be unique.

        Parameters
        ----------
        name : str
            The name, such as that of an Optuna trial.

        Returns
        -------
        list of Run
            Empty if there is none.
        """
        with self._index.open() as connection:
            if not has_table(connection, "names"):
                return []
            rows = connection.execute(
                "SELECT runs.* FROM runs JOIN names ON names.run = runs.id WHERE names.name = ?", (name,)
            ).fetchall()
        return self._runs(rows)

    @checked
    def search(self, search: str) -> dict[str, Any]:
        """Return the record of a search: id, engine, task, created, facts.

        Parameters
        ----------
        search : str
            Id of the search.

        Returns
        -------
        dict
            With these keys; "facts" are settings, versions and shapes of the data.

        Raises
        ------
        RunNotFoundError
            If there is no such search.
        """
        with self._index.open() as connection:
            row = connection.execute("SELECT * FROM searches WHERE id = ?", (search,)).fetchone()
        if row is None:
            raise RunNotFoundError(f"There is no search {search!r} in {self.directory}.")
        (facts,) = cells([row[4]], [search], "what is known", {}, lambda facts: isinstance(facts, dict))
        return dict(zip(("id", "engine", "task", "created"), row[:4], strict=True)) | {"facts": facts}

    @checked
    def part_losses(self, search: str) -> dict[str, tuple[float, ...]]:
        """Return the losses of each run's parts, such as folds; runs of which they are not known are left out.

        Parameters
        ----------
        search : str
            Id of the search.

        Returns
        -------
        dict of str to tuple of float
            Losses by the run's id.
        """
        with self._index.open() as connection:
            return get_part_losses(connection, search)

    def searches(self) -> list[str]:
        """Return the ids of all searches, oldest first.

        Returns
        -------
        list of str
            Ids.
        """
        with self._index.open() as connection:
            return [row[0] for row in connection.execute(f"SELECT id FROM searches ORDER BY {FIRST}")]

    @checked
    def explanations(self, run_id: str) -> list[StoredExplanation]:
        """Return the descriptions of a run's explanations, oldest first.

        Parameters
        ----------
        run_id : str
            Id of the run.

        Returns
        -------
        list of StoredExplanation
            Empty if there is none.
        """
        with self._index.open() as connection:
            rows = connection.execute(
                "SELECT id, run, created, comment, is_raw FROM explanations WHERE run = ? ORDER BY rowid",
                (run_id,),
            ).fetchall()
        return [
            StoredExplanation(id_, run, datetime.fromtimestamp(created, UTC), comment, bool(is_raw))
            for id_, run, created, comment, is_raw in rows
        ]

    @checked
    def explanation(self, run_id: str, explanation_id: str | None = None) -> Any:
        """Return an explanation of a run, by default the most recent, as the class that was stored.

        Parameters
        ----------
        run_id : str
            Id of the run, or its first characters.
        explanation_id : str, optional
            One of `explanations`. Default: the most recent.

        Returns
        -------
        Explanation, TextExplanation or another kind that can be stored
            The explanation.

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
                "SELECT id FROM explanations WHERE run = ? AND id = COALESCE(?, id) ORDER BY rowid DESC LIMIT 1",
                (run.id, explanation_id),
            ).fetchone()
        if row is None:
            raise ExplanationNotFoundError(why_unexplained(run))
        file = self._file(row[0])
        try:
            return Explanation.load(file)
        except OSError as error:
            raise HistoryError(
                f"The explanation of run {run.id} cannot be read: {error}. Create it again with explain_model(fitted_model, "
                "X_train, X_test, best_run=run)."
            ) from error

    @property
    def _folder(self) -> Path:
        return self.directory / EXPLANATIONS

    def _file(self, explanation_id: str) -> Path:
        return place_of(self.directory, EXPLANATIONS, explanation_id, ".zip")

    def _runs(self, rows: Sequence[tuple[Any, ...]]) -> list[Run]:
        """Return the runs of complete rows. JSON of one that cannot be read is logged, and does not hide the others."""
        ids = [row[0] for row in rows]
        configs = cells([row[4] for row in rows], ids, "the configuration", {}, lambda config: isinstance(config, dict))
        tops = cells([row[12] for row in rows], ids, "the most important features", [], _is_ranking)
        every: Iterator[tuple[Any, ...]] = (
            (*row[:4], config, *row[5:12], tuple(map(tuple, top)), self)
            for row, config, top in zip(rows, configs, tops, strict=True)
        )
        return [Run(*values) for values in every]


def _is_ranking(top: Any) -> bool:
    return isinstance(top, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in top)
