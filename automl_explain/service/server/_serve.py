"""Running the service with uvicorn."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from automl_explain.explainers._errors import InvalidInputError, MissingExtraError
from automl_explain.service._settings import ServiceLimits
from automl_explain.service.models._served_model import ServedModel
from automl_explain.service.server._app import create_app
from automl_explain.service.server._security import check_address

if TYPE_CHECKING:
    import uvicorn

LOGGER = logging.getLogger("automl_explain.service")


def serve(
    bundles: Mapping[str, ServedModel],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    insecure: bool = False,
    limits: ServiceLimits | None = None,
) -> None:
    """Serve bundles until the process is asked to stop; requests that have begun are answered first.

    Parameters
    ----------
    bundles : mapping
        Name -> what is served.
    host : str, default "127.0.0.1"
    port : int, default 8000
        0: any free port.
    token, limits
        As in `create_app`.
    insecure : bool, default False
        Whether other machines may ask without a token.

    Raises
    ------
    InvalidInputError
        If the address is not a loopback address and there is no token, or it cannot be listened on.
    """
    check_address(host, token, insecure)
    limits = limits or ServiceLimits()
    server, listening = listening_server(
        lambda _: create_app(bundles, token=token, limits=limits),
        host,
        port,
        "service",
        timeout_graceful_shutdown=int(limits.deadline) + 1,
        h11_max_incomplete_event_size=65_536,
    )
    try:
        server.run(sockets=[listening])
    finally:
        listening.close()


def listening_server(
    make_app: Callable[[int], Any], host: str, port: int, what: str, **options: Any
) -> tuple[uvicorn.Server, socket.socket]:
    """Return a server that is ready to run, and the socket on which it listens.

    Parameters
    ----------
    make_app : callable
        From the port to the ASGI application.
    host : str
    port : int
        0: any free port.
    what : str
        What is served, in messages.
    **options
        Further options of uvicorn.

    Raises
    ------
    InvalidInputError
        If the address cannot be listened on.
    MissingExtraError
        If uvicorn is not installed.
    """
    try:
        import uvicorn  # an extra, needed here only
    except ImportError as error:
        raise MissingExtraError(f"The {what} needs uvicorn: pip install 'automl-explain[serve]'") from error
    config = uvicorn.Config(
        _no_app,
        host=host,
        port=port,
        access_log=False,  # the metrics count requests; a line for each would cost more than its score
        server_header=False,
        **options,
    )
    try:
        _try_address(host, port)
        listening = config.bind_socket()
    except (OSError, SystemExit) as error:  # SystemExit: uvicorn's way of saying that another process was faster
        raise InvalidInputError(f"The {what} cannot listen on {host}, port {port}; it may be in use.") from error
    try:
        config.app = make_app(listening.getsockname()[1])
    except BaseException:
        listening.close()
        raise
    return uvicorn.Server(config), listening


def _try_address(host: str, port: int) -> None:
    """Listen for a moment, since uvicorn ends the process and leaves a socket open if it cannot.

    Raises
    ------
    OSError
        If the address cannot be listened on.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((host, port))


async def _no_app(*_: Any) -> None:
    """Hold the place of the application until the port is known."""
