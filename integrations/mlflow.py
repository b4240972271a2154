"""Explanations as artifacts of MLflow runs, in the store or server of the tracking URI.

An explanation is the artifact ``automl_explain/<id>.zip`` of its run. A tag of the run, written after the file, describes
it, so that explanations can be listed without being downloaded.
"""

from __future__ import annotations

import json
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from automl_explain.explainers._errors import (
    ExplanationNotFoundError,
    HistoryError,
    InvalidInputError,
    MissingExtraError,
    RunNotFoundError,
)
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.stored._any_explanation import AnyExplanation
from automl_explain.integrations.history._run import Run, StoredExplanation

try:
    import mlflow
    from mlflow.exceptions import MlflowException
except ImportError as error:
    raise MissingExtraError("MLflow runs need mlflow: pip install 'automl-explain[mlflow]'") from error

if TYPE_CHECKING:
    from automl_explain.integrations.history._run_history import RunHistory

FOLDER = "automl_explain"
"""Folder of explanations among a run's artifacts."""
EXPLANATION_TAG = "automl_explain.explanation."
"""Prefix of the tags that describe the explanations of a run."""
PARTS_TAG = "automl_explain.part_losses"
"""Tag with the losses of the parts of a run, such as folds."""
RUN_TAG = "automl_explain.run"
"""Tag with the id of a run in the run history."""
LONGEST_COMMENT = 2000
"""Characters; MLflow would cut a longer tag."""
TICK = 1e-4
"""Seconds by which an explanation is at least later than the one before it."""
CONNECT_SECONDS = 5.0
"""Time within which a server must answer; MLflow itself would retry for minutes."""


class MlflowStore:
    """MLflow runs, with the methods of a run history that `ExplanationClient` and `retrieve_model_explanation` use.

    Both accept an MLflow run directly, so that this class is rarely needed.

    Parameters
    ----------
    tracking_uri : str, optional
        Default: MLflow's current tracking URI.

    Raises
    ------
    HistoryError
        If a tracking server does not answer.

    Examples
    --------
    >>> from automl_explain.integrations.mlflow import MlflowStore
    >>> store = MlflowStore("http://localhost:5000")  # doctest: +SKIP
    >>> store.explanation(mlflow_run.info.run_id).get_ranked_global_names(2)  # doctest: +SKIP
    ['bmi', 's5']
    """

    def __init__(self, tracking_uri: str | None = None) -> None:
        self.uri = tracking_uri or mlflow.get_tracking_uri()
        _check_answers(self.uri)
        self.client = mlflow.MlflowClient(self.uri)

    def __repr__(self) -> str:
        return f"MlflowStore({self.uri!r})"

    def run(self, run_id: str) -> Run:
        """Return an MLflow run as a `Run`.

        Parameters
        ----------
        run_id : str
            Id of the MLflow run.

        Returns
        -------
        Run
            Its explanations are the artifacts of the MLflow run.

        Raises
        ------
        RunNotFoundError
            If the tracking store has no such run.
        HistoryError
            If it cannot be read.
        """
        found = self._read(run_id)
        data, info = found.data, found.info
        stored = any(name.startswith(EXPLANATION_TAG) for name in data.tags)
        return Run(
            id=run_id,
            search=str(info.experiment_id),
            number=0,
            learner=data.tags.get("automl_explain.learner") or info.run_name or "",
            config=dict(data.params),
            loss=data.metrics.get("loss"),
            metric=data.tags.get("automl_explain.metric", ""),
            kind=data.tags.get("automl_explain.kind", "trial"),
            status="explained" if stored else "skipped",
            why="" if stored else "nothing has been uploaded to this MLflow run",
            sample_size=None,
            seconds=None,
            top=(),
            history=self,
        )

    def store(
        self, run_id: str, explanation: AnyExplanation, *, comment: str = "", seconds: float | None = None
    ) -> str:
        """Upload an explanation to an MLflow run and return its id.

        Parameters
        ----------
        run_id : str
            Id of the MLflow run.
        explanation : Explanation, TextExplanation or another kind that can be stored
            What is uploaded.
        comment : str, default ""
            Text by which it can be found again.
        seconds : float, optional
            Time that the explanation took.

        Returns
        -------
        str
            Id of the explanation.

        Raises
        ------
        InvalidInputError
            If the comment is too long for a tag.
        HistoryError
            If it cannot be written.
        """
        if len(comment) > LONGEST_COMMENT:
            raise InvalidInputError(
                f"A comment on an MLflow run must have at most {LONGEST_COMMENT:,} characters. Got {len(comment):,}."
            )
        explanation_id = f"{run_id}-{secrets.token_hex(3)}"
        before = [one.created.timestamp() for one in self.explanations(run_id)]
        created = max([time.time(), *(one + TICK for one in before[-1:])])  # the order is theirs, also if clocks differ
        facts = {"created": created, "comment": comment, "is_raw": explanation.is_raw, "seconds": seconds}
        with tempfile.TemporaryDirectory() as folder, self.talking():
            path = Path(folder) / f"{explanation_id}.zip"
            explanation.save(path)
            self.client.log_artifact(run_id, str(path), FOLDER)
            self.client.set_tag(run_id, EXPLANATION_TAG + explanation_id, json.dumps(facts))
        return explanation_id

    def part_losses(self, search: str) -> dict[str, tuple[float, ...]]:
        """Return the losses of the parts of the runs of an MLflow experiment; runs without any are left out.

        Parameters
        ----------
        search : str
            Id of the experiment.

        Returns
        -------
        dict of str to tuple of float
            Losses by the run's id.
        """
        found: dict[str, tuple[float, ...]] = {}
        page = None
        with self.talking():
            while page is None or page.token:
                page = self.client.search_runs(
                    [search], f"tags.`{PARTS_TAG}` != ''", page_token=page.token if page else None
                )
                found |= {run.info.run_id: tuple(json.loads(run.data.tags[PARTS_TAG])) for run in page}
        return found

    def explanations(self, run_id: str) -> list[StoredExplanation]:
        """Return the descriptions of a run's explanations, oldest first.

        Parameters
        ----------
        run_id : str
            Id of the MLflow run.

        Returns
        -------
        list of StoredExplanation
            Empty if there is none.
        """
        found = []
        for name, text in self._read(run_id).data.tags.items():
            if name.startswith(EXPLANATION_TAG):
                facts = json.loads(text)
                created = datetime.fromtimestamp(facts["created"], UTC)
                stored = StoredExplanation(
                    name.removeprefix(EXPLANATION_TAG), run_id, created, facts["comment"], facts["is_raw"]
                )
                found.append(stored)
        return sorted(found, key=lambda one: (one.created, one.id))

    def explanation(self, run_id: str, explanation_id: str | None = None) -> Any:
        """Download an explanation of a run, by default the most recent.

        Parameters
        ----------
        run_id : str
            Id of the MLflow run.
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
            If the run has no such explanation.
        HistoryError
            If it cannot be read.
        """
        found = [one for one in self.explanations(run_id) if explanation_id in (None, one.id)]
        if not found:
            what = "" if explanation_id is None else f" {explanation_id!r}"
            raise ExplanationNotFoundError(
                f"The MLflow run {run_id} of {self.uri} has no explanation{what}. Upload one with "
                "ExplanationClient.from_run(mlflow_run).upload_model_explanation(explanation), or search with "
                "model_explainability=True while the run is active."
            )
        with tempfile.TemporaryDirectory() as folder, self.talking():
            return Explanation.load(self.client.download_artifacts(run_id, f"{FOLDER}/{found[-1].id}.zip", folder))

    @contextmanager
    def talking(self) -> Iterator[None]:
        """Turn an MLflow error within the block into a `HistoryError` that names the tracking URI.

        Yields
        ------
        None
            Within the block, errors are turned.
        """
        try:
            yield
        except (MlflowException, OSError) as error:
            if isinstance(error, HistoryError):
                raise
            raise HistoryError(
                f"MLflow at {self.uri} failed: {str(error).strip().rstrip('.')}. Check that this is the right tracking URI "
                "(see mlflow.set_tracking_uri) and that its server is running."
            ) from error

    def _read(self, run_id: str) -> Any:
        with self.talking():
            try:
                return self.client.get_run(run_id)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                raise RunNotFoundError(
                    f"There is no MLflow run {run_id!r} at {self.uri}. Set the tracking URI of its server with "
                    "mlflow.set_tracking_uri."
                ) from error


def run_of_mlflow(mlflow_run: Any, history: RunHistory | None = None) -> Run:
    """Return the `Run` of an MLflow run; explanations stored with it become artifacts of the MLflow run.

    Parameters
    ----------
    mlflow_run : mlflow.entities.Run
        The run.
    history : RunHistory, optional
        Not used: MLflow's current tracking URI is.

    Returns
    -------
    Run
        Its explanations are the artifacts of the MLflow run.

    Raises
    ------
    RunNotFoundError
        If the store of MLflow's current tracking URI has no such run.
    HistoryError
        If its server does not answer.

    Examples
    --------
    >>> import mlflow
    >>> from automl_explain.integrations.mlflow import run_of_mlflow
    >>> with mlflow.start_run() as active:  # doctest: +SKIP
    ...     run_of_mlflow(active).status
    'skipped'
    """
    return MlflowStore().run(mlflow_run.info.run_id)


def _check_answers(uri: str) -> None:
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        return
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname, port), CONNECT_SECONDS).close()
    except OSError as error:
        raise HistoryError(
            f"The MLflow server {uri} does not answer: {error}. Start it, or name another with mlflow.set_tracking_uri."
        ) from error


__all__ = ["MlflowStore", "run_of_mlflow"]
