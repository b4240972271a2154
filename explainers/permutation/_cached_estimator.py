"""An estimator for scorers that returns cached responses of a fitted model, computed for several permuted copies at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier, is_regressor
from sklearn.utils.metaestimators import available_if

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.permutation._permuted_copies import Copies, Copy
from automl_explain.explainers.permutation._permuted_trees import PermutedTrees, Response, Way
from automl_explain.explainers.tables._table import Table

RESPONSES = ("predict", "predict_proba", "predict_log_proba", "decision_function")
"""Methods of a model that scorers call."""


class CachedEstimator:
    """A proxy of the model that computes the responses to all copies of a batch at once and caches them.

    A cached response is returned only for the table object returned by `show`, or the original table at first. All other
    calls are passed to the model. Models without trees predict each copy separately, because the last bits of a matrix
    product can depend on the other rows.

    Parameters
    ----------
    model : estimator
    table : Table
        The original rows.
    copies : Copies
        Permuted copies of the rows.
    trees : PermutedTrees or None
        The trees of the model, if they are known.
    """

    def __init__(self, model: Any, table: Table, copies: Copies, trees: PermutedTrees | None) -> None:
        self._model, self._table, self._copies, self._trees = model, table, copies, trees
        self._methods: dict[str, Callable[[], list[Response]]] = {}
        self._known: dict[str, list[Response]] = {}
        self._baseline: dict[str, Response] = {}
        self._batch: Sequence[Copy] = ()
        self._stack: Any = None
        self._part: Any = table.data
        self._position = -1

    def use(self, batch: Sequence[Copy]) -> None:
        """Set the batch of copies and discard the cached responses."""
        self._batch, self._known = batch, {}
        self._stack = self._copies.write(batch)

    def show(self, position: int) -> Any:
        """Return one copy of the batch, which is scored next."""
        self._position, self._part = position, self._copies.part(position)
        return self._part

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._model, name)
        if name not in RESPONSES:
            return value

        def respond(X: Any, *args: Any, **kwargs: Any) -> Any:
            if X is not self._part or args or kwargs:
                return value(X, *args, **kwargs)
            return self._respond(name)

        respond.__name__ = name
        return respond

    def _respond(self, method: str) -> Response:
        if self._position < 0:
            return self._original_response(method)
        if method not in self._methods:
            self._methods[method] = self._batch_response(method)
        if method not in self._known:
            self._known[method] = self._methods[method]()
        return self._known[method][self._position]

    def _original_response(self, method: str) -> Response:
        if method not in self._baseline:
            self._baseline[method] = np.asarray(getattr(self._model, method)(self._table.data))
        return self._baseline[method]

    def _batch_response(self, method: str) -> Callable[[], list[Response]]:
        """Return the fastest function that computes the responses to a batch bit for bit as the model does."""
        baseline = self._original_response(method)
        way = None if self._trees is None else self._trees.find_way(method, baseline)
        if way is not None:
            return lambda: self._from_trees(way, baseline)
        predict = getattr(self._model, method)
        if self._trees is not None:
            return lambda: self._predict_changed(predict, baseline)
        return lambda: [np.asarray(predict(self._copies.part(i))) for i in range(len(self._batch))]

    def _from_trees(self, way: Way, baseline: Response) -> list[Response]:
        assert self._trees is not None
        responses = self._trees.respond(way, self._batch)
        by_columns = baseline.ndim == 2 and baseline.flags.f_contiguous and not baseline.flags.c_contiguous
        return [np.require(response, None, "F" if by_columns else "C") for response in responses]

    def _predict_changed(self, predict: Callable[[Any], Any], baseline: Response) -> list[Response]:
        assert self._trees is not None
        changed = self._trees.changed(self._batch)
        responses = [baseline.copy(order="K") for _ in self._batch]
        if changed.any():
            rows = np.flatnonzero(changed.ravel())
            again = np.asarray(predict(Table(self._stack).take(rows).data))
            for response, mask, part in zip(
                responses, changed, np.split(again, np.cumsum(changed.sum(axis=1))[:-1]), strict=True
            ):
                response[mask] = part
        return responses


def as_estimator(model: Any, described: FittedModel) -> Any:
    """Return the model itself if scikit-learn's scorers accept it, otherwise an estimator made from its description."""
    tells_task = hasattr(model, "__sklearn_tags__") and (is_classifier(model) or is_regressor(model))
    if tells_task and (is_regressor(model) or hasattr(model, "classes_")):
        return model
    return _DescribedRegressor(described) if described.classes is None else _DescribedClassifier(described)


class _DescribedRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted estimator made from a described regression."""

    def __init__(self, described: FittedModel) -> None:
        self.described = described

    def predict(self, X: Any) -> Response:
        outputs = self.described.outputs
        values: Response = (outputs.get("response") or self.described.predict)(X)[:, 0]
        return values


def _has(space: str) -> Callable[[Any], bool]:
    return lambda estimator: space in estimator.described.outputs


class _DescribedClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted estimator made from a described classifier."""

    def __init__(self, described: FittedModel) -> None:
        self.described = described

    @property
    def classes_(self) -> Response:
        return np.asarray(self.described.classes)

    def predict(self, X: Any) -> Response:
        outputs = self.described.outputs.get("probability") or self.described.predict
        labels: Response = self.classes_[np.argmax(outputs(X), axis=1)]
        return labels

    @available_if(_has("probability"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Response:
        return self.described.outputs["probability"](X)
