"""Scoring explainers that a history keeps of runs, and where they were copied.

Files ``scoring/<run>.zip``, a bundle; ``scoring/<run>.json``, the reason why there is none, or the places of copies.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from automl_explain.explainers._errors import AutoMLExplainError, ExplanationNotFoundError
from automl_explain.explainers._fallback import logger
from automl_explain.explainers._files import make_private_folder
from automl_explain.explainers._processes import part_of
from automl_explain.explainers.scoring._explainer import ScoringExplainer
from automl_explain.explainers.scoring._kinds import choose_scoring_explainer
from automl_explain.explainers.scoring._saving import load, save
from automl_explain.integrations.history._entry_files import keep_small, while_known
from automl_explain.integrations.history._noted import noted
from automl_explain.integrations.history._run import Run
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.history.index_tables._schema import SCORERS
from automl_explain.integrations.sealed._places import place_of

WHAT = "what is known of the scoring explainer"
"""What the file of a run holds, for the log."""


def keep_scorer(history: RunHistory, run_id: str, explainer: Callable[[], Any]) -> None:
    """Keep the scoring explainer of the explainer that a function makes, or the reason why there is none.

    A run without one stays a run with an explanation, so that nothing is raised.
    """
    place = place_of(history.directory, SCORERS, run_id)
    written = part_of(place).with_suffix(".zip")
    try:
        make_private_folder(place.parent)
        save(choose_scoring_explainer(explainer()), written, facts={"run": run_id})
        with while_known(history, SCORERS, run_id) as is_known:
            if is_known:
                written.replace(place.with_name(f"{run_id}.zip"))  # also where another user has put a link
    except (AutoMLExplainError, OSError) as error:
        _tell(history, run_id, str(error))
    except Exception as error:
        # The model's own code is called with rows that try it out; the run's explanation is complete without this.
        logger.warning("run %s has no scoring explainer", run_id, exc_info=error)
        _tell(history, run_id, f"{type(error).__name__}: {error}")
    finally:
        written.unlink(missing_ok=True)


def _tell(history: RunHistory, run_id: str, why: str) -> None:
    """Note why a run has no scoring explainer, if that can be written: the run has its explanation."""
    try:
        _note(history, run_id, {"why": why})
    except OSError as error:
        logger.warning("run %s has no scoring explainer (%s), which cannot be recorded: %s", run_id, why, error)


def scorer_of(run: Run) -> ScoringExplainer:
    """Return the scoring explainer of a run.

    Raises
    ------
    ExplanationNotFoundError
        If the history keeps none; the message says why.
    """
    directory = getattr(run.history, "directory", None)
    place = None if directory is None else place_of(Path(directory), SCORERS, run.id, ".zip")
    if place is not None and place.is_file():
        return load(place).with_importance(run.explanation)
    why = "" if place is None else str(noted(place.with_suffix(".json"), WHAT).get("why", "")).rstrip(".")
    kept = "A search keeps the scoring explainers of its final model and of its best trial"
    raise ExplanationNotFoundError(
        f"Run {run.id} has no scoring explainer{f': {why}' if why else ''}. {kept}; for other models "
        "pass the fitted model and its training rows: scoring_explainer(model, X_train)."
    )


def note_copy(run: Run, path: Path) -> None:
    """Record where the bundle of a run was copied."""
    if isinstance(run.history, RunHistory):
        _note(run.history, run.id, {"copies": list(dict.fromkeys([*copies_of(run), str(path.resolve())]))})


def copies_of(run: Run) -> list[str]:
    """Return where the bundle of a run was copied, oldest first."""
    directory = getattr(run.history, "directory", None)
    found = {} if directory is None else noted(place_of(Path(directory), SCORERS, run.id, ".json"), WHAT)
    return list(found.get("copies", []))


def _note(history: RunHistory, run_id: str, facts: dict[str, Any]) -> None:
    keep_small(history, SCORERS, run_id, json.dumps(facts).encode())
