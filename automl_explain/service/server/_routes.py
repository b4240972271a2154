"""What the routes do: read a request within its limits and have it answered, or say how the service is."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from automl_explain.explainers._errors import ExplanationNotFoundError, MissingExtraError
from automl_explain.service._problems import RequestError
from automl_explain.service._service import Service
from automl_explain.service._settings import ServiceLimits
from automl_explain.service.protocols import _open_inference
from automl_explain.service.protocols._bodies import BINARY, JSON_LENGTH, Body
from automl_explain.service.protocols._protocol import Protocol
from automl_explain.service.server._openapi import docs_page

try:
    from fastapi import Request, Response
    from starlette.requests import ClientDisconnect
except ImportError as error:
    raise MissingExtraError("The service needs fastapi and uvicorn: pip install 'automl-explain[serve]'") from error

Act = Callable[[Request], Awaitable[Response]]
VERSION = version("automl-explain")


def json_answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a document as an answer."""
    return Response(json.dumps(document), status, dict(headers or {}), "application/json")


def scoring_route(service: Service, protocol: Protocol) -> Act:
    """Return what answers requests of a protocol."""

    async def score(request: Request) -> Response:
        _check_version(service, request)
        media = _media(request, protocol)
        content = await _content(request, service.limits)
        body = Body(content, request.headers.get(JSON_LENGTH, ""))
        reply = await service.answer(protocol, request.path_params.get("model"), media, body)
        headers = {} if reply.json_length is None else {JSON_LENGTH: str(reply.json_length)}
        return Response(reply.content, headers=headers, media_type=reply.media)

    return score


def status_routes(service: Service) -> dict[str, Act]:
    """Return the routes that only say something."""

    def health(why: Callable[[], str | None], body: Any) -> Act:
        async def act(request: Request) -> Response:
            said = why()
            return (
                json_answer(body) if said is None else json_answer({"error": f"Not well: {said}.", "status": 503}, 503)
            )

        return act

    def document(make: Callable[[Request], Any]) -> Act:
        async def act(request: Request) -> Response:
            _check_version(service, request)
            return json_answer(make(request))

        return act

    def model_ready(request: Request) -> dict[str, Any]:
        name = service.find(request.path_params["model"]).name
        if service.unready() is not None:
            raise RequestError(503, f"Not well: {service.unready()}.")
        return {"name": name, "ready": True}

    def metadata(request: Request) -> dict[str, Any]:
        served = service.find(request.path_params["model"])
        return _open_inference.metadata(served.name, served.model)

    async def metrics(request: Request) -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return {
        "/livez": health(service.dead, {"live": True}),
        "/readyz": health(service.unready, {"ready": True}),
        "/ping": health(service.unready, {}),
        "/health": health(service.unready, {}),
        "/version": _say_version,
        "/metrics": metrics,
        "/importance": _importance(service),
        "/importance/{model}": _importance(service),
        "/v1/models": document(lambda _: {"models": list(service.served)}),
        "/v1/models/{model}": document(model_ready),
        "/v2": document(lambda _: {"name": "automl-explain", "version": VERSION, "extensions": ["binary_tensor_data"]}),
        "/v2/health/live": health(service.dead, {"live": True}),
        "/v2/health/ready": health(service.unready, {"ready": True}),
        "/v2/models/{model}": document(metadata),
        "/v2/models/{model}/ready": document(model_ready),
        "/v2/models/{model}/versions/{version}": document(metadata),
        "/v2/models/{model}/versions/{version}/ready": document(model_ready),
    }


def _importance(service: Service) -> Act:
    async def act(request: Request) -> Response:
        served = service.find(request.path_params.get("model"))
        try:
            found = served.importance.explanation()
        except ExplanationNotFoundError as error:
            raise RequestError(404, str(error)) from error
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "importance"
            found.save(path)
            return Response(path.read_bytes(), media_type="application/zip")

    return act


async def _say_version(request: Request) -> Response:
    return Response(VERSION, media_type="text/plain")


async def docs(request: Request) -> Response:
    return Response(docs_page(request.app.openapi()), media_type="text/html")


def _check_version(service: Service, request: Request) -> None:
    wanted = request.path_params.get("version")
    if wanted is not None and wanted != (known := service.find(request.path_params["model"]).model.version):
        raise RequestError(404, f"The version that is served is {known}.")


def _media(request: Request, protocol: Protocol) -> str:
    """Return the Content-Type of a request, which must be one of the protocol's; clients of Triton send none with tensors."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind and BINARY in protocol.media and JSON_LENGTH in request.headers:
        return BINARY
    if kind not in protocol.media:
        raise RequestError(415, f"The Content-Type must be {' or '.join(protocol.media)}.")
    return kind


async def _content(request: Request, limits: ServiceLimits) -> bytes:
    """Return the body of a request within the limits of size and time."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestError(415, "A compressed body is not read; send it without Content-Encoding.")
    too_large = RequestError(
        413, f"A body may have {limits.max_body:,} bytes. Send the rows in parts.", headers={"Connection": "close"}
    )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limits.max_body:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.deadline):
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                if size > limits.max_body:
                    raise too_large
    except TimeoutError as error:
        raise RequestError(408, f"The body did not arrive within {limits.deadline:g} s.") from error
    except ClientDisconnect as error:
        raise RequestError(400, "The body did not arrive.") from error
    return b"".join(parts)
