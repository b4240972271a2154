"""`SearchRecord`: a search that is recorded in the history while it goes on, so that a kill loses no trial that has ended."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from automl_explain.explainers._errors import HistoryError
from automl_explain.explainers._fallback import logger
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.history.index_tables._known_ids import new_id
from automl_explain.integrations.history.index_tables._owners import Owner


class SearchRecord:
    """The record of a search that goes on in this process, and in workers that get a copy of it.

    Nothing is written before the first trial. A trial that cannot be recorded is logged once and does not disturb the search:
    all its runs are recorded again when it has ended.

    Parameters
    ----------
    history : RunHistory
    engine : str
        As in `RunHistory.start_search`.
    facts : mapping
        What is known of the search when it begins.
    search : str, optional
        Id of the search, if it has one.
    spool : str, optional
        Name of the folder of its worker processes, which is removed when the history is opened after this process died.
    owner : Owner, optional
        The process that explains the search. Default: this one.
    """

    def __init__(
        self,
        history: RunHistory,
        engine: str,
        facts: Mapping[str, Any],
        search: str | None = None,
        spool: str = "",
        owner: Owner | None = None,
    ) -> None:
        self.search = search or new_id()
        self._history, self._engine, self._facts = history, engine, dict(facts)
        self._progress = history.progress(self.search, spool, owner)
        self._reset()

    def _reset(self) -> None:
        self._lock, self._open, self._process = threading.Lock(), ExitStack(), 0
        self._failed = False

    def __getstate__(self) -> dict[str, Any]:
        own = ("_lock", "_open", "_process", "_failed")
        return {name: value for name, value in vars(self).items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    def note(
        self,
        learner: str,
        config: Mapping[str, Any],
        loss: float | None,
        metric: str,
        *,
        task: str = "unknown",
        number: int | None = None,
        key: str = "",
        is_part: bool = False,
        sample_size: int | None = None,
    ) -> None:
        """Record a trial that has ended.

        Parameters
        ----------
        learner, config, loss, metric, sample_size
            As in `Run`.
        task : str
            Task of the search.
        number : int, optional
            Order in the search. Default: after those that are recorded.
        key : str
            What tells a trial without a number from the others of its search.
        is_part : bool
            Whether the loss is that of a part of the trial, such as a fold: its loss is then the mean of its parts.
        """
        run = {
            "learner": learner, "config": config, "loss": loss, "metric": metric,
            "number": number, "is_part": is_part and loss is not None, "sample_size": sample_size,
        }  # fmt: skip
        name = self.name(number, key)
        with self._logged():
            self.begin(task)
            self._progress.record(name, run)

    def announce(self, task: str = "unknown") -> None:
        """Record that the search goes on, before a worker process writes to its folder; if that fails, it is logged once."""
        with self._logged():
            self.begin(task)

    @contextmanager
    def _logged(self) -> Iterator[None]:
        try:
            yield
        except HistoryError as error:
            if not self._failed:
                logger.warning("the trials of a search cannot be recorded as they end: %s", error)
            self._failed = True

    def name(self, number: int | None, key: str = "") -> str:
        """Return the id under which a trial is recorded while the search goes on."""
        return f"{self.search}-{key[:8]}" if number is None else f"{self.search}-{number:04d}"

    def begin(self, task: str = "unknown") -> None:
        """Record that the search goes on, unless this process has done so, and open the index until `end`."""
        with self._lock:
            if self._process == os.getpid():
                return
            self._open = ExitStack()  # one that was forked with its process is that of another
            self._open.enter_context(self._history.kept_open())
            self._progress.begin(self._engine, task, self._facts)
            self._process = os.getpid()

    def end(self) -> None:
        """Note that the search has ended: this process owns its runs no longer."""
        with self._lock:
            if self._process != os.getpid():
                return
            self._process = 0
            try:
                self._progress.end()
            except HistoryError as error:  # the runs are marked as interrupted when this process has ended
                logger.warning("the end of a search cannot be recorded: %s", error)
            finally:
                self._open.close()
