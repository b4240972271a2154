"""`ScoreFile`: what a score file's ``init()`` and ``run(raw_data)`` need, without a web server."""

from __future__ import annotations

import os
from typing import Any

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import ColumnMismatchError, InvalidInputError
from automl_explain.explainers.scoring._saving import load
from automl_explain.service._problems import RequestError
from automl_explain.service.models._bundle_model import BundleModel
from automl_explain.service.protocols import _score
from automl_explain.service.protocols._protocol import Answered
from automl_explain.service.protocols._tables import TableReader, read_json


class ScoreFile:
    """A bundle that answers the JSON of ``POST /score``, for hosts that call ``init()`` and ``run(raw_data)``.

    Parameters
    ----------
    bundle : path-like
        What `save` wrote. A row is scored when it has been loaded, so that the first request does not wait.
    name : str, default "model"
        Name of the model in the answers.
    max_rows : int, default 10,000
        Most rows of a request; one with more is refused.
    allow_pickle : bool, default False
        As in `load`.

    Raises
    ------
    InvalidInputError
        If it is no bundle.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import ScoreFile, save, scoring_explainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> path = save(scoring_explainer(Ridge().fit(X, y), X), getfixture("tmp_path") / "bundle")
    >>> answer = ScoreFile(path).run(X[:4].to_json())
    >>> len(answer["predictions"]), answer["reasons"][0][0]["feature"]
    (4, 'bmi')
    """

    @checked
    def __init__(
        self,
        bundle: str | os.PathLike[str],
        *,
        name: str = "model",
        max_rows: int = 10_000,
        allow_pickle: bool = False,
    ) -> None:
        self.model = BundleModel(load(bundle, allow_pickle=allow_pickle))
        self.name = name
        self._reader = TableReader(self.model, max_rows)
        self.model.warm_up()

    @checked
    def run(self, raw_data: str | bytes) -> dict[str, Any]:
        """Return the answer to a request: predictions, local importance values and reasons.

        Parameters
        ----------
        raw_data : str or bytes
            JSON: a table as pandas' ``to_json`` writes it, or any other body of ``POST /score``.

        Returns
        -------
        dict
            What ``POST /score`` answers, as JSON has it.

        Raises
        ------
        ColumnMismatchError
            If columns or cells do not match the bundle; the message lists them.
        InvalidInputError
            If it is no table in JSON.
        """
        try:
            asked = _score.read(
                read_json(raw_data.encode(errors="replace") if isinstance(raw_data, str) else raw_data), self._reader
            )
        except RequestError as error:
            kind = ColumnMismatchError if error.columns else InvalidInputError
            raise kind(error.error) from error
        scored = self.model.score(asked.cells, asked.explain)
        return _score.answer(Answered(self.name, self.model, asked, scored))
