"""Optuna studies with a custom objective: the model of every trial is explained.

>>> from automl_explain.integrations.optuna import TrialExplainer
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from automl_explain.explainers.tables._table import as_table
from automl_explain.integrations.history._known_ids import new_id
from automl_explain.integrations.history._run import Run, best_trial
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.searches._captured_run import CapturedRun, ExplanationJob, in_order, last_step
from automl_explain.integrations.searches._explain_runs import explain_runs
from automl_explain.integrations.searches._memory import keep_within_memory
from automl_explain.integrations.searches._options import ExplainabilityOptions, made_with
from automl_explain.integrations.searches._optuna_lookup import ATTRIBUTE, USED, name_of
from automl_explain.integrations.searches._optuna_trial import CaptureContext, TrialCapture


class TrialExplainer:
    """Explains the models that a custom objective fits in the trials of an Optuna study.

    Parameters
    ----------
    X_train : ndarray, DataFrame or csr_matrix of shape (B, f)
        The background: rows that stand for absent features, in the form that the models take.
    X_valid : ndarray, DataFrame or csr_matrix of shape (n, f), optional
        The rows explained, unless `capture` is given others.
    y_valid : array-like of shape (n,), optional
        Their true labels, which are kept with ``ExplainabilityOptions(keep_labels=True)``.
    explainability_options : ExplainabilityOptions or dict, optional
        Which trials and how many rows are explained, and for how long.
    history : RunHistory or path-like, optional
        Where runs and explanations are kept. Default: the user's run history.
    features : sequence of str, optional
        Column names, for tables without names.
    target : callable, optional
        Function from a finished trial to the loss by which it is ranked; lower is better. Default: the study's value, with
        the sign changed if the study maximises; for several objectives, the first value. If it raises an error, the run is
        recorded as failed with that reason.
    facts : mapping, optional
        Other facts recorded with the search, as JSON: ``"experiment"``, by which `Experiment.runs` finds it, ``"metric"``,
        the name of its loss, and any others.

    Raises
    ------
    HistoryError
        If the history cannot be written.
    InvalidInputError
        If a table or option cannot be used.

    Notes
    -----
    The study is not changed, except that a user attribute is added to it. Models are captured while it runs and explained
    when the ``with`` block ends, best first, within a time budget of their own.

    `retrieve_model_explanation` finds the run of a trial in the default history and in the histories that this process
    wrote to. In a later process, a history in another directory is found through the study, or passed as ``history``. If
    several processes work on one study, each creates its own TrialExplainer with the same history.

    Examples
    --------
    >>> import optuna
    >>> from lightgbm import LGBMRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from automl_explain import retrieve_model_explanation
    >>> from automl_explain.integrations.optuna import TrialExplainer
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> def objective(trial):
    ...     with explainer.trial(trial) as seen:
    ...         model = LGBMRegressor(n_estimators=trial.suggest_int("n_estimators", 5, 20), verbose=-1)
    ...         model.fit(X[:300], y[:300])
    ...         seen.capture(model, X[300:])
    ...         return model.score(X[300:], y[300:])
    >>> study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    >>> with TrialExplainer(X[:300]) as explainer:
    ...     study.optimize(objective, n_trials=3)
    >>> shap_values, *_ = retrieve_model_explanation(study.best_trial)
    >>> shap_values.shape
    (142, 10)
    """

    def __init__(
        self,
        X_train: Any,
        X_valid: Any = None,
        *,
        y_valid: Any = None,
        explainability_options: ExplainabilityOptions | dict[str, Any] | None = None,
        history: Any = None,
        features: Sequence[str] | None = None,
        target: Callable[[FrozenTrial], float] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.options = ExplainabilityOptions.read(explainability_options)
        self.history = RunHistory.to_write(history)
        USED[self.history.directory.absolute()] = None
        background = as_table(X_train, "X_train").sample(self.options.background, self.options.random_state)
        valid = None if X_valid is None else as_table(X_valid, "X_valid").with_labels(y_valid)
        self._context = CaptureContext(
            self.options,
            background,
            None if valid is None else valid.sample(self.options.max_rows, self.options.random_state),
            0 if valid is None else len(valid),
            self._release_others_with,
        )
        self._features, self._target, self._own_facts = features, target, dict(facts or {})
        self._lock = threading.Lock()
        self._studies: dict[str, _Study] = {}

    @contextmanager
    def trial(self, trial: optuna.Trial) -> Iterator[TrialCapture]:
        """Capture the models that the objective fits within the block. Pruning and errors pass through it.

        Parameters
        ----------
        trial : optuna.Trial
            The trial that was passed to the objective.

        Yields
        ------
        TrialCapture
            Its `capture` takes the fitted model.
        """
        known = self._study_of(trial)
        with self._lock:
            seen = known.seen.setdefault(trial.number, TrialCapture(self._context, trial.number))
            seen.running = True
        try:
            yield seen
        except optuna.TrialPruned:
            seen.release("the study pruned the trial")
            raise
        except Exception as error:
            seen.release(f"the objective raised {type(error).__name__}: {error}", failed=True)
            raise
        finally:
            seen.running = False
        with self._lock:
            self._keep_within_memory(known)

    def capture_final(
        self,
        study: optuna.Study,
        model: Any,
        X_valid: Any = None,
        *,
        y_valid: Any = None,
        learner: str | None = None,
        config: Mapping[str, Any] | None = None,
        kind: Literal["refit", "ensemble"] = "refit",
    ) -> None:
        """Capture the final model of a study; it is explained first, as a run of its own.

        Parameters
        ----------
        study : optuna.Study
            The study, after its trials.
        model : object
            A fitted model, such as the best configuration fitted again on all rows.
        X_valid : ndarray, DataFrame or csr_matrix, optional
            The rows explained. Default: the `X_valid` of the explainer.
        y_valid : array-like of shape (n,), optional
            Their true labels.
        learner : str, optional
            Name shown. Default: the model's class.
        config : mapping, optional
            Its parameters.
        kind : {"refit", "ensemble"}, default "refit"
            If several models of one kind are captured before they are explained, the last one is used. A model that is
            captured later, such as after the study was continued, is another run.
        """
        with self._lock:
            known = self._known(study)
        seen = TrialCapture(
            self._context, -1, kind
        )  # it is numbered when it is recorded, since the study may be continued
        seen.capture(model, X_valid, y_valid=y_valid)
        seen.learner, seen.config, seen.told = learner or seen.learner, dict(config or {}), True
        with self._lock:
            known.finals[kind] = seen

    def explain(self) -> list[Run]:
        """Explain the trials that have ended since the last call, and return their runs.

        The ``with`` block calls it at its end. Without such a block, call it yourself, as often as needed, also while the
        study runs in other threads: a trial is explained once the study has its result.

        Returns
        -------
        list of Run
        """
        return self._finish()

    @property
    def runs(self) -> list[Run]:
        """The runs of the studies whose trials were seen, including those of other processes."""
        return [run for search in self._studies for run in self.history.runs(search)]

    @property
    def best_run(self) -> Run | None:
        """The run with the lowest loss; None before any was explained."""
        return best_trial(self.runs)

    def __enter__(self) -> TrialExplainer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._finish(None if kind is None else f"the search was interrupted by {kind.__name__}", last=True)

    # ---------------------------------------------------------------- private

    def _study_of(self, trial: optuna.Trial) -> _Study:
        with self._lock:
            return self._known(trial.study)

    def _known(self, study: optuna.Study) -> _Study:
        known = next((known for known in self._studies.values() if known.study is study), None)
        return known or self._new_study(study)

    def _new_study(self, study: optuna.Study) -> _Study:
        kept = study.user_attrs.get(ATTRIBUTE)
        if kept is None:
            with self.history.alone():  # if several processes begin at once, one of them creates the id
                kept = study.user_attrs.get(ATTRIBUTE)
                if kept is None:
                    kept = {"search": new_id(), "history": str(self.history.directory.absolute())}
                    study.set_user_attr(ATTRIBUTE, kept)
        search = kept["search"]
        known = self._studies.setdefault(search, _Study(study, search))
        known.study = study  # the same study, loaded again
        return known

    def _release_others_with(self, model: Any, own: TrialCapture) -> None:
        """Release the earlier trials whose model object a later trial has fitted again."""
        with self._lock:
            every = [
                seen for known in self._studies.values() for seen in (*known.seen.values(), *known.finals.values())
            ]
            again = f"trial {own.number}" if own.kind == "trial" else f"the {own.kind}"
            for other in (seen for seen in every if seen is not own):
                if any(last_step(model) is last_step(held) for held in other.models):
                    other.release(
                        f"{again} fitted the same model object again; make a new one in each trial",
                        failed=True,
                    )

    def _keep_within_memory(self, known: _Study) -> None:
        held = [seen for seen in known.seen.values() if seen.nbytes]
        if sum(seen.nbytes for seen in held) > self.options.memory_limit * 2**30:
            self._read_losses(known)
            finished = [seen for seen in held if seen.loss is not None]
            keep_within_memory(finished or held, self.options.memory_limit)

    def _read_losses(self, known: _Study) -> None:
        """Read from the study the state and the loss of each captured trial."""
        ended = {trial.number: trial for trial in known.study.get_trials(deepcopy=False)}
        sign = -1.0 if known.study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else 1.0
        for seen in known.seen.values():
            trial = ended[seen.number]
            seen.config, seen.told = dict(trial.params), trial.state.is_finished()
            seen.name = name_of(trial)
            if trial.state == TrialState.COMPLETE:
                try:
                    seen.loss = float(self._target(trial)) if self._target else sign * float(trial.values[0])
                except Exception as error:  # an error in the user's function fails this run only
                    seen.release(f"its target raised {type(error).__name__}: {error}", failed=True)
            elif trial.state == TrialState.PRUNED:
                step = trial.last_step
                seen.release("the study pruned the trial" + ("" if step is None else f" at step {step}"))
            elif trial.state == TrialState.FAIL and not seen.failed:
                seen.release("the study counts the trial as failed: its objective returned no number", failed=True)

    def _finish(self, interrupted: str | None = None, *, last: bool = False) -> list[Run]:
        """Explain the trials with a result; at the last call, also those whose result the study was not told."""
        runs: list[Run] = []
        for known in list(self._studies.values()):
            with self._lock:
                self._read_losses(known)
                seen = [one for one in known.seen.values() if one.told or (last and not one.running)]
                for one in seen:
                    del known.seen[one.number]
                seen += known.take_finals()
            if not seen:
                continue
            metric = self._metric(known.study)
            captured = [one.as_run(metric, self._features) for one in seen]
            for run in captured:
                if interrupted and run.read is not None:
                    run.release(interrupted)
            seconds = time.monotonic() - known.started
            self.history.start_search(
                "optuna", _task(captured), self._facts(known, metric, seconds), search=known.search
            )
            deadline = time.monotonic() + self.options.seconds(seconds)
            explain_runs(
                ExplanationJob(self.history, known.search, self.options, deadline, features=self._features), captured
            )
            known.started = time.monotonic()
            runs += [self.history.run(run.id) for run in captured]
        return runs

    def _metric(self, study: optuna.Study) -> str:
        if "metric" in self._own_facts:
            return str(self._own_facts["metric"])
        if self._target is not None:
            return getattr(self._target, "__name__", "target")
        name = (study.metric_names or ["value"])[0]
        return f"-{name}" if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else name

    def _facts(self, known: _Study, metric: str, seconds: float) -> dict[str, Any]:
        return {
            "metric": metric,
            "study": known.study.study_name,
            "directions": [direction.name.lower() for direction in known.study.directions],
            "search_seconds": round(seconds, 3),
            "training_rows": len(self._context.background),
            **made_with(self.options, "optuna"),
            **self._own_facts,
        }


@dataclass(eq=False)
class _Study:
    """A study that uses an explainer: its search, and the captured trials and final models not yet explained."""

    study: optuna.Study
    search: str
    seen: dict[int, TrialCapture] = field(default_factory=dict)
    finals: dict[str, TrialCapture] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def take_finals(self) -> list[TrialCapture]:
        """Return the final models, numbered after the present trials, and remove them from the study."""
        n_trials = len(self.study.get_trials(deepcopy=False))
        finals, self.finals = list(self.finals.values()), {}
        for number, one in enumerate(finals, start=n_trials):
            one.number = number
        return finals


def _task(runs: Sequence[CapturedRun]) -> str:
    """The task of the best model that can be read; the reason why another cannot is recorded with its run."""
    for run in in_order(runs):
        if run.read is not None:
            try:
                models = run.read()
            except Exception:
                continue
            return models[0].task if isinstance(models, list) else models.task
    return "unknown"


__all__ = ["ExplainabilityOptions", "TrialCapture", "TrialExplainer"]
