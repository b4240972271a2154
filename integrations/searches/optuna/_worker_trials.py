"""Trials of worker processes: a copy of an explainer writes them, and the process that made the explainer collects them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.integrations.history.index_tables._owners import Owner, has_died
from automl_explain.integrations.sealed._spool import SPOOL, Spool
from automl_explain.integrations.searches._captured_run import CapturedRun
from automl_explain.integrations.searches._kept_runs import keep_run, kept_run
from automl_explain.integrations.searches._options import ExplainabilityOptions
from automl_explain.integrations.searches.optuna._trial import CaptureContext, TrialCapture

STUDY = "study of "
"""Begin of the name under which a worker says where its study is."""
ALONE = "Create a TrialExplainer in each process: it explains the trials of that process."
"""Advice for models that cannot be passed to another process."""


class WorkerTrial(TrialCapture):
    """A trial that ran in a worker process, in the process that explains it; its models are loaded when they are explained.

    Parameters
    ----------
    context : CaptureContext
    run : CapturedRun
        As the worker passed it, before the study knew its result.
    """

    def __init__(self, context: CaptureContext, run: CapturedRun) -> None:
        super().__init__(context, run.number)
        self.learner, self._run = run.learner, run
        if run.read is None:
            self.release(run.why, failed=run.failed)

    def as_run(self, metric: str, features: Sequence[str] | None) -> CapturedRun:
        """Return the run with what the study says of it; parameters as in `TrialCapture.as_run`."""
        found = super().as_run(metric, features)
        if self._released:
            return found
        return replace(self._run, config=self.config, loss=self.loss, metric=metric, name=self.name)


class WorkerTrials:
    """The way of trials from worker processes to the process that explains them: files in the spool of the history.

    A copy, or a fork, writes; the original reads.

    Parameters
    ----------
    directory : Path
        Of the history.
    limit : float
        GiB that the files may take.
    """

    def __init__(self, directory: Path, limit: float) -> None:
        self.home, self._is_copy = Owner.of(""), False
        self._spool = Spool(directory / SPOOL, limit)
        self._reset()

    def _reset(self) -> None:
        self._kept, self._known, self._said = self._spool.kept_models(), set[str](), set[tuple[int, str]]()

    def __getstate__(self) -> dict[str, Any]:
        return {"home": self.home, "_spool": self._spool, "_is_copy": True}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    @property
    def are_elsewhere(self) -> bool:
        """Whether another process explains the trials of this one."""
        return self._is_copy or os.getpid() != self.home.process

    @property
    def is_orphan(self) -> bool:
        """Whether that process has died, so that nobody asks for these trials."""
        return self.are_elsewhere and has_died(self.home)

    @property
    def folder(self) -> str:
        """Name of the folder of the files."""
        return self._spool.name

    # ----------------------------------------------------------------------------------------------------- in a worker

    def send(self, study: optuna.Study, name: str, run: CapturedRun, options: ExplainabilityOptions) -> None:
        """Write a trial that has ended. If its models cannot be written, the reason is.

        Raises
        ------
        InvalidInputError
            If the study, which says how the trial ended, is known in this process alone.
        """
        storage, search = study._storage, name.rpartition("-")[0]
        if isinstance(storage, optuna.storages.InMemoryStorage):
            raise InvalidInputError(
                f"The study {study.study_name!r} is in the memory of process {os.getpid()}, so that process "
                f"{self.home.process} cannot explain its trials. Give the study a storage, such as "
                "JournalStorage(JournalFileBackend(PATH))."
            )
        said = os.getpid(), search
        if said not in self._said:
            if why := self._kept.put(f"{STUDY}{search}", (study.study_name, storage), None):
                raise InvalidInputError(
                    f"The storage of the study cannot be passed to another process ({why}). {ALONE}"
                )
            self._said.add(said)
        if why := keep_run(self._kept, name, run, options, None):
            run.release(f"its model could not be passed on by a worker process ({why}). {ALONE}")
            run.failed = True
            keep_run(self._kept, name, run, options, None)

    # ------------------------------------------------------------------------------- in the process that explains them

    def collect(self) -> Iterator[tuple[str, list[CapturedRun]]]:
        """Yield the search of each study, and those of its trials that have come since the last call."""
        found: dict[str, list[CapturedRun]] = {}
        for name, files in self._kept.runs().items():
            new = [file for file in files if file not in self._known and not name.startswith(STUDY)]
            self._known.update(new)
            if new:
                found.setdefault(name.rpartition("-")[0], []).append(self._run(new))
        yield from found.items()

    def study(self, search: str) -> optuna.Study:
        """Load the study of a search, as its workers said.

        Raises
        ------
        InvalidInputError
            If it cannot be loaded in this process.
        """
        name = "?"
        try:
            name, storage = self._kept.about(self._kept.runs()[f"{STUDY}{search}"][-1])
            return optuna.load_study(study_name=name, storage=storage)
        except Exception as error:  # each storage has its own
            raise InvalidInputError(
                f"The study {name!r} of worker processes cannot be loaded in this process ({type(error).__name__}: {error}). "
                f"{ALONE}"
            ) from error

    def forget(self, names: Iterable[str]) -> None:
        """Remove trials that were seen to. Tables that others share stay, since workers may still refer to them."""
        if self._known:
            self._kept.forget(names)

    def clear(self) -> None:
        """Remove the folder."""
        self._spool.clear()

    def _run(self, files: list[str]) -> CapturedRun:
        """Return the trial of files, several if it was entered as often; those without a model count if there is no other."""
        with_models = [file for file in files if not self._kept.about(file)[0].why]
        run, *_ = kept_run(self._kept, with_models or files[-1:])
        if not with_models:
            run.read = None
        return run
