"""The server of a dashboard: the page and the answers to it, on a loopback address, in a thread."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Self

from automl_explain.dashboard.transports._answers import Answers
from automl_explain.dashboard.transports._guard import PageGuard, new_token
from automl_explain.explainers._errors import InvalidInputError, MissingExtraError
from automl_explain.explainers.formatting._html import render
from automl_explain.service._problems import RequestError
from automl_explain.service._workers import Workers
from automl_explain.service.server._serve import listening_server

try:
    from fastapi import FastAPI, Request, Response
except ImportError as error:
    raise MissingExtraError(
        "Serving a dashboard needs fastapi and uvicorn: pip install 'automl-explain[dashboard,serve]'. "
        "save() and notebooks need neither."
    ) from error

HOST = "127.0.0.1"
LONGEST_BODY = 4_000_000
"""Bytes of a request."""
DEADLINE = 300.0
"""Seconds until a model counts as hung."""
MAX_WAITING = 8
"""Requests that may wait: the page asks again at every edit."""


class DashboardServer:
    """A dashboard that is served until it is stopped, or the process ends.

    Use it as a context manager, or call `stop`. A script waits with `wait`, since the server ends with the process.

    Parameters
    ----------
    page : str
        The page as HTML.
    answers : Answers
    port : int
        0: a free port, which the system chooses.

    Raises
    ------
    InvalidInputError
        If the port cannot be used, such as one that is in use.
    """

    def __init__(self, page: str, answers: Answers, port: int = 0) -> None:
        if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 65536:
            raise InvalidInputError(f"The 'port' parameter must be an integer from 0 to 65535. Got {port!r}.")
        self._workers = Workers(1, MAX_WAITING, quotes_models=True)
        app = _app(page, answers, self._workers)
        token = new_token()
        self._server, self._socket = listening_server(
            lambda bound: PageGuard(app, token, bound), HOST, port, "dashboard", log_config=None
        )
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://{HOST}:{self.port}/{token}/"
        self._thread = threading.Thread(target=self._run, name="dashboard", daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)  # until the address answers
        if not self._server.started:
            raise InvalidInputError("The server of the dashboard ended as it was started; its log says why.")

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self._workers.close()

    def wait(self) -> None:
        """Wait until the server is stopped; interrupting it, as with Ctrl-C, stops the server."""
        try:
            while self._thread.is_alive():
                self._thread.join(0.5)
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop the server."""
        self._server.should_exit = True
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "" if self._thread.is_alive() else ", stopped"
        return f"DashboardServer({self.url}{state})"

    def _repr_html_(self) -> str:
        return render("link.html", "automl_explain.dashboard", url=self.url)


def _app(page: str, answers: Answers, workers: Workers) -> Any:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    async def show() -> Response:
        return Response(page, media_type="text/html; charset=utf-8")

    async def reply(request: Request) -> Response:
        try:
            rows = await _rows(request)
            answer = await workers.run(lambda _: answers.answer(request.url.path.strip("/"), rows), DEADLINE)
            return _json(answer)
        except RequestError as problem:
            return _json(problem.as_json(), problem.status)

    app.add_api_route("/", show, methods=["GET"])
    for method in ("predict", "explain"):
        app.add_api_route(f"/{method}", reply, methods=["POST"])
    return app


async def _rows(request: Request) -> Any:
    """Return the rows of a request.

    Raises
    ------
    RequestError
        If it is not JSON of a size that the page sends.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError(415, "Rows must be sent as application/json.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BODY:
            raise RequestError(413, f"A request must have at most {LONGEST_BODY} bytes.")
    try:
        document = json.loads(bytes(body))
        return document["rows"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RequestError(422, 'A request must be JSON like {"rows": [[1.5, null]]}.') from error


def _json(document: Any, status: int = 200) -> Response:
    return Response(json.dumps(document), status, media_type="application/json")
