"""Running the service with uvicorn."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from automl_explain.explainers._errors import InvalidInputError, MissingExtraError
from automl_explain.service._app import create_app
from automl_explain.service._bundle import ServedModel
from automl_explain.service._security import check_address
from automl_explain.service._settings import ServiceLimits

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
    try:
        import uvicorn  # an extra, needed here only
    except ImportError as error:
        raise MissingExtraError("The service needs uvicorn: pip install 'automl-explain[serve]'") from error
    limits = limits or ServiceLimits()
    config = uvicorn.Config(
        create_app(bundles, token=token, limits=limits),
        host=host,
        port=port,
        access_log=False,  # the metrics count requests; a line for each would cost more than its score
        server_header=False,
        timeout_graceful_shutdown=int(limits.deadline) + 1,
        h11_max_incomplete_event_size=65_536,
    )
    try:
        socket = config.bind_socket()
    except SystemExit as error:  # uvicorn's way of saying that the address cannot be used; it has logged why
        raise InvalidInputError(f"The service cannot listen on {host}, port {port}; it may be in use.") from error
    try:
        uvicorn.Server(config).run(sockets=[socket])
    finally:
        socket.close()
