"""`create_app`: the routes of the service as an ASGI application."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError, MissingExtraError
from automl_explain.explainers.scoring._explainer import ScoringExplainer
from automl_explain.service._problems import RequestError
from automl_explain.service._service import Service
from automl_explain.service._settings import ServiceLimits
from automl_explain.service.models._bundle_model import BundleModel
from automl_explain.service.models._served_model import ServedModel
from automl_explain.service.protocols import _kserve, _mlflow, _open_inference, _score
from automl_explain.service.server._openapi import DESCRIPTION, operation
from automl_explain.service.server._routes import docs, json_answer, scoring_route, status_routes
from automl_explain.service.server._security import TokenGuard

try:
    from fastapi import FastAPI, Request, Response
    from starlette.exceptions import HTTPException
except ImportError as error:
    raise MissingExtraError("The service needs fastapi and uvicorn: pip install 'automl-explain[serve]'") from error

LOGGER = logging.getLogger("automl_explain.service")
SCORES = {
    "/score": _score.PROTOCOL,
    "/score/{model}": _score.PROTOCOL,
    "/v1/models/{model}:predict": _kserve.PREDICT,
    "/v1/models/{model}:explain": _kserve.EXPLAIN,
    "/v2/models/{model}/infer": _open_inference.PROTOCOL,
    "/v2/models/{model}/versions/{version}/infer": _open_inference.PROTOCOL,
    "/invocations": _mlflow.PROTOCOL,
}
"""Route -> protocol of its requests."""
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@checked
def create_app(
    bundles: ServedModel | ScoringExplainer | Mapping[str, ServedModel | ScoringExplainer],
    *,
    token: str | None = None,
    limits: ServiceLimits | None = None,
) -> Any:
    """Return an ASGI application that answers predictions and their explanations.

    Parameters
    ----------
    bundles : scoring explainer, ServedModel or mapping
        What is served, such as what `load` returns; several by name. The first one answers routes
        that name no model, such as ``/score``.
    token : str, optional
        Token that requests must bring as ``Authorization: Bearer`` or ``X-API-Key``. Default: none is needed.
    limits : ServiceLimits, optional
        Sizes, rows, waiting requests and the deadline. Default: those of `ServiceLimits`.

    Returns
    -------
    ASGI application
        For uvicorn, hypercorn or a test client. It has routes of KServe v1, Open Inference v2, MLflow's scoring protocol,
        ``/score``, ``/importance``, ``/livez``, ``/readyz``, ``/metrics`` and ``/docs``.

    Raises
    ------
    MissingExtraError
        If FastAPI or prometheus-client is not installed.
    InvalidInputError
        If there is no bundle, or a limit or name cannot be used.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import TabularExplainer, create_app, scoring_explainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> app = create_app(scoring_explainer(TabularExplainer(Ridge().fit(X, y), X)), token="a long secret")
    >>> sorted(set(app.openapi()["paths"]) & {"/score", "/importance", "/readyz"})
    ['/importance', '/readyz', '/score']
    >>> import uvicorn
    >>> uvicorn.run(app, port=8000)  # doctest: +SKIP
    """
    given = bundles if isinstance(bundles, Mapping) else {"model": bundles}
    if wrong := [one for one in given.values() if not _can_serve(one)]:
        raise InvalidInputError(
            f"The 'bundles' parameter must be a scoring explainer, or a mapping of names to them. Got {type(wrong[0]).__name__}."
        )
    models = {name: BundleModel(one) if isinstance(one, ScoringExplainer) else one for name, one in given.items()}
    service = Service(models, limits or ServiceLimits())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.workers.close()

    app = FastAPI(
        title="automl-explain", description=DESCRIPTION, version="1", lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.service = service
    for path, protocol in SCORES.items():
        app.add_api_route(
            path, scoring_route(service, protocol), methods=["POST"], **operation(path, protocol.name, service)
        )
    for path, act in status_routes(service).items():
        app.add_api_route(path, act, methods=["GET"], **operation(path, "", service))
    app.add_api_route("/docs", docs, include_in_schema=False)
    app.add_exception_handler(RequestError, _refuse)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _refuse_route)  # type: ignore[arg-type]
    if token is not None:
        app.add_middleware(TokenGuard, token=token, refuse=_refuse_stranger)
    app.add_middleware(_Measured, service=service)
    return app


async def _refuse(_: Request, problem: RequestError) -> Response:
    return json_answer(problem.as_json(), problem.status, problem.headers)


async def _refuse_route(request: Request, error: HTTPException) -> Response:
    said = {404: "There is no such route; GET /docs lists all.", 405: "The route does not take this method."}
    problem = RequestError(error.status_code, said.get(error.status_code, str(error.detail)), None, error.headers)
    return await _refuse(request, problem)


async def _refuse_stranger(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    headers = {"WWW-Authenticate": "Bearer"}
    problem = RequestError(401, "A token is needed, as Authorization: Bearer or as X-API-Key.", None, headers)
    await json_answer(problem.as_json(), problem.status, problem.headers)(scope, receive, send)


class _Measured:
    """ASGI middleware: counts requests and their time, and answers 500 without a traceback where our own code fails."""

    def __init__(self, app: Any, service: Service) -> None:
        self._app, self._metrics = app, service.metrics

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception:  # the answer must not show it
            LOGGER.exception("a request failed")
            if status:
                raise  # the answer has begun; the server closes the connection, so that it does not look whole
            problem = RequestError(500, "The service failed. Its log says why.")
            await json_answer(problem.as_json(), 500)(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - start)


def _can_serve(model: Any) -> bool:
    """Whether something is a scoring explainer, or has what a `ServedModel` has."""
    return isinstance(model, ScoringExplainer) or all(hasattr(model, name) for name in ("version", "columns", "method"))
