"""`resume_search`: explain what was not explained of a search whose process died."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import ExplanationNotFoundError, InvalidInputError
from automl_explain.explainers._fallback import logger
from automl_explain.integrations.history._run import Run
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.recording._termination import terminated_as_interrupted
from automl_explain.integrations.sealed._kept_models import KeptModels
from automl_explain.integrations.searches._captured_run import CapturedRun, ExplanationJob
from automl_explain.integrations.searches._explain_runs import choose, explain_again
from automl_explain.integrations.searches._kept_runs import kept_run
from automl_explain.integrations.searches._options import ExplainabilityOptions

LONGEST = 3600.0
"""Seconds that explaining may take if no budget is given."""


@checked
def resume_search(
    search: str,
    history: Any = None,
    *,
    time_budget: float | None = None,
) -> list[Run]:
    """Explain what was not explained of a search whose process died, from the models that it kept.

    Parameters
    ----------
    search : str
        Id of a search with ``ExplainabilityOptions(keep_models=True)``.
    history : RunHistory or path-like, optional
        Where its runs are. Default: the user's run history.
    time_budget : float, optional
        Seconds that explaining may take. Default: an hour. All else is as the options of the search say.

    Returns
    -------
    list of Run
        All runs of the search. Models of those that have no explanation yet are still kept, so that it can be called again;
        `RunHistory.remove_search` removes them as well.

    Raises
    ------
    RunNotFoundError
        If there is no such search.
    ExplanationNotFoundError
        If runs were not explained, and no model of them was kept.
    InvalidInputError
        If another process still searches or explains, or `time_budget` is no number of seconds.
    HistoryError
        If the history cannot be written, or the files of the models are not those that this user's search wrote.

    Notes
    -----
    The models are unpickled. They lie in a folder of the history that only its user can enter, sealed with a key in the
    user's data folder; files with another seal are not read.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from automl_explain import RunHistory, resume_search
    >>> from automl_explain.integrations.flaml import AutoML
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> automl = AutoML(model_explainability=True, explainability_options={"keep_models": True})
    >>> automl.fit(X, y, task="classification", max_iter=2, estimator_list=["lgbm"], verbose=0)
    >>> [run.status for run in resume_search(automl.best_run.search)]  # this one has not died
    ['explained', 'explained', 'explained']
    """
    within = ExplainabilityOptions(time_budget=LONGEST if time_budget is None else time_budget)
    store = RunHistory.to_write(history)
    store.search(search)
    if others := store.owners(search):
        raise InvalidInputError(
            f"The search {search} goes on in process {others[0].process} on {others[0].host}. End it first, or wait for its end."
        )
    kept = KeptModels.of_user(store.directory, search, math.inf)
    files, waiting = kept.runs(), [run for run in store.runs(search) if run.status != "explained"]
    found = [run for run in waiting if run.id in files]
    if waiting and not found:
        raise ExplanationNotFoundError(
            f"The search {search} kept no models of the {len(waiting)} runs that were not explained: with "
            "ExplainabilityOptions(keep_models=True) they are kept until explaining has ended, in case the process dies. Fit "
            "the configuration of a run again, and call explain_model(fitted_model, X_train, X_test, best_run=run)."
        )
    captured, options, features = [], within, None
    for run in found:
        try:
            one, options, features = kept_run(kept, files[run.id])
        except Exception as error:  # unpickling runs code of the model's library, which may raise anything
            logger.warning("run %s cannot be resumed", run.id, exc_info=error)
            store.set_status(run.id, "failed", f"its kept model cannot be read: {type(error).__name__}: {error}")
            continue
        captured.append(_as_stored(one, run))
    chosen = choose(captured, options.which)
    deadline = time.monotonic() + within.seconds(0.0)
    options = replace(options, time_budget=within.time_budget)
    job = ExplanationJob(store, search, options, deadline, features=features)
    if chosen:
        with terminated_as_interrupted():
            explain_again(job, chosen)
    kept.forget(run.id for run in store.runs(search) if run.status == "explained")
    return store.runs(search)


def _as_stored(run: CapturedRun, stored: Run) -> CapturedRun:
    """Return a kept run with what the history knows of it."""
    run.id, run.number, run.loss, run.kind = stored.id, stored.number, stored.loss, stored.kind
    return run
