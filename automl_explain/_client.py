"""`ExplanationClient`: upload, list and download the explanations of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automl_explain.display._class_view import any_explanation_of, check_top_k
from automl_explain.explainers._arguments import check_arguments, nearest
from automl_explain.explainers._errors import ExplanationNotFoundError, InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.stored._any_explanation import AnyExplanation
from automl_explain.integrations._run_lookup import find_run
from automl_explain.integrations.history._run import Run, StoredExplanation
from automl_explain.integrations.history._run_history import RunHistory

MOST_LISTED = 8
"""Maximum number of explanations that an error message lists."""


class ExplanationClient:
    """Upload, list and download the explanations of a run, which may have any number of them.

    Parameters
    ----------
    run : Run
        The run. Use `from_run` for anything else that identifies a run.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import ExplanationClient, RunHistory, explain_model
    >>> history = RunHistory(tempfile.mkdtemp())
    >>> search = history.start_search("my own", "regression", {})
    >>> row = {"number": 0, "learner": "ridge", "config": {}, "loss": 0.5, "metric": "1-r2", "kind": "trial"}
    >>> (run_id,) = history.add_runs(search, [row | {"status": "captured", "why": "", "sample_size": None}])
    >>> client = ExplanationClient.from_run(history.run(run_id))
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> explained = explain_model(Ridge().fit(X, y), X, X[:50])
    >>> stored = client.upload_model_explanation(explained, comment="first 50 rows")
    >>> client.download_model_explanation(comment="first 50 rows", top_k=3).get_ranked_global_names()
    ['bmi', 's5', 'bp']
    >>> [one.comment for one in client.list_model_explanations()]
    ['first 50 rows']
    """

    def __init__(self, run: Run) -> None:
        if not isinstance(run, Run):
            raise InvalidInputError(f"ExplanationClient takes a Run; use from_run for anything else. Got {type(run)}.")
        self.run = run

    @classmethod
    def from_run(cls, run: Any, *, history: RunHistory | None = None) -> ExplanationClient:
        """Return the client of a run.

        Parameters
        ----------
        run : Run, str, AutoML, Optuna trial, scikit-learn search or MLflow run
            A run, its id, or anything else that `retrieve_model_explanation` takes. Explanations of an MLflow run are its
            artifacts at the current tracking URI of MLflow.
        history : RunHistory, optional
            History in which an id is looked up. Default: the default history.

        Returns
        -------
        ExplanationClient
            The client of the run.

        Raises
        ------
        RunNotFoundError
            If there is no such run.
        HistoryError
            If an MLflow server does not answer.
        """
        return cls(find_run(run, history))

    def __repr__(self) -> str:
        return f"ExplanationClient({self.run.id!r})"

    def upload_model_explanation(
        self, explanation: Any, top_k: int | None = None, comment: str | None = None
    ) -> StoredExplanation:
        """Store an explanation with the run, in addition to those already stored.

        Parameters
        ----------
        explanation : Explanation, TextExplanation, ModelExplanation or Run
            What is stored.
        top_k : int, optional
            Keep only this many features, the most important; `Explanation.left_out` is the sum of the others, and a note
            says so.
        comment : str, optional
            Text by which the explanation can be found again.

        Returns
        -------
        StoredExplanation
            Id, time, comment and kind of columns of the explanation.

        Raises
        ------
        InvalidInputError
            If this is not an explanation, `top_k` is not an integer of 1 or more, or `comment` is not text.
        HistoryError
            If the explanation cannot be written.
        """
        _check_text("comment", comment)
        kept = _most_important(any_explanation_of(explanation), top_k)
        stored = self.run.history.store(self.run.id, kept, comment=comment or "")
        return next(one for one in self.list_model_explanations() if one.id == stored)

    def download_model_explanation(
        self,
        explanation_id: str | None = None,
        top_k: int | None = None,
        comment: str | None = None,
        *,
        raw: bool | None = None,
    ) -> Any:
        """Return an explanation of the run, by default the most recent.

        Parameters
        ----------
        explanation_id : str, optional
            Id of the explanation.
        top_k : int, optional
            Return only this many features, the most important, as in `upload_model_explanation`.
        comment : str, optional
            Return the most recent explanation with this comment.
        raw : bool, optional
            If True, return values of the user's own columns, computed from engineered ones if only those are stored. If
            False, return the most recent explanation of engineered columns. Default: as stored.

        Returns
        -------
        Explanation or TextExplanation
            As it was uploaded.

        Raises
        ------
        ExplanationNotFoundError
            If no explanation matches; the message lists the existing ones.
        InvalidInputError
            If `top_k` is not an integer of 1 or more, an id or comment is not text, or `raw` is not True, False or None.
        """
        every = self.list_model_explanations()
        for name, value in (("explanation_id", explanation_id), ("comment", comment)):
            _check_text(name, value, every)
        check_arguments({"raw": raw})
        if top_k is not None:
            check_top_k(top_k)
        found = [one for one in every if explanation_id in (None, one.id) and comment in (None, one.comment)]
        if raw is False:
            found = [one for one in found if not one.is_raw]
        if raw:
            found = [one for one in found if one.is_raw] or found
        if not found:
            raise ExplanationNotFoundError(self._not_found(every, explanation_id, comment, raw))
        explanation = self.run.history.explanation(self.run.id, found[-1].id)
        if raw and isinstance(explanation, Explanation):
            explanation = explanation.get_raw_explanation()
        return _most_important(explanation, top_k)

    def list_model_explanations(self, comment: str | None = None) -> list[StoredExplanation]:
        """Return the stored explanations of the run, oldest first.

        Parameters
        ----------
        comment : str, optional
            Return only explanations with this comment.

        Returns
        -------
        list of StoredExplanation
            Their descriptions; the explanations are not loaded.

        Raises
        ------
        InvalidInputError
            If `comment` is not text.
        """
        _check_text("comment", comment)
        return [one for one in self.run.history.explanations(self.run.id) if comment in (None, one.comment)]

    def _not_found(
        self, every: list[StoredExplanation], explanation_id: str | None, comment: str | None, raw: bool | None
    ) -> str:
        wanted = [] if explanation_id is None else [f"the id {explanation_id!r}"]
        wanted += [] if comment is None else [f"the comment {comment!r}"]
        wanted += [] if raw is None else ["raw columns" if raw else "engineered columns"]
        what = " and ".join(wanted)
        if not every:
            run = self.run.history.run(self.run.id)
            return (
                f"Run {run.id} has no explanation{f', so none with {what}' if what else ''}: its status is {run.status}"
                f"{f' ({run.why})' if run.why else ''}. Upload one with upload_model_explanation."
            )
        known = (
            [one.id for one in every] if explanation_id is not None else [one.comment for one in every if one.comment]
        )
        guess = nearest(explanation_id or comment or "", known)
        hint = f" Did you mean {guess!r}?" if guess else ""
        return f"Run {self.run.id} has no explanation with {what}.{hint} {_listed(every)}"


def _check_text(name: str, value: Any, every: Sequence[StoredExplanation] = ()) -> None:
    """Raise `InvalidInputError`, which lists the existing explanations, unless a value is text or None."""
    if value is not None and not isinstance(value, str):
        listed = f" {_listed(every)}" if every else ""
        raise InvalidInputError(f"The {name!r} parameter must be text. Got {value!r}.{listed}")


def _listed(every: Sequence[StoredExplanation]) -> str:
    more = f" (the latest {MOST_LISTED} of {len(every)})" if len(every) > MOST_LISTED else ""
    return f"There are{more}: {'; '.join(map(str, every[-MOST_LISTED:]))}."


def _most_important(explanation: AnyExplanation, top_k: int | None) -> AnyExplanation:
    """Return the explanation of its most important features, in the order of the columns."""
    if top_k is None:
        return explanation
    check_top_k(top_k)
    if not isinstance(explanation, Explanation):
        raise InvalidInputError(
            f"The 'top_k' parameter selects columns of tables. Got {type(explanation).__name__}, whose examples each have "
            "parts of their own: leave it out, and use get_ranked_global_names(top_k) for the ranking."
        )
    if top_k >= explanation.num_features:
        return explanation
    kept = sorted(ranking(explanation.global_importance_values)[:top_k].tolist())
    names = explanation.features
    return explanation.select(kept if names is None else [names[j] for j in kept], why="the most important")
