"""Who may ask: a token, compared in constant time, and where a service without one may listen."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from automl_explain.explainers._errors import InvalidInputError

TOKEN_VARIABLE = "AUTOML_EXPLAIN_TOKEN"
"""Environment variable that holds the token."""
SHORTEST = 16
"""Characters of a token."""
OPEN = {"/livez", "/readyz", "/ping", "/health", "/v2/health/live", "/v2/health/ready"}
"""Paths that need no token: those that an orchestrator probes. They say nothing of the model."""
Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


def read_token(token: str | None, path: str | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the token: the given one, or that of a file, or that of the environment; None if there is none.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, or the token is too short or is not printable ASCII.
    """
    if token is not None and path is not None:
        raise InvalidInputError("Pass a token or a file that holds it, not both.")
    if path is not None:
        try:
            token = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise InvalidInputError(f"The file of the token cannot be read: {error}") from error
    found = environment.get(TOKEN_VARIABLE) if token is None else token
    if found is not None and (len(found) < SHORTEST or not found.isascii() or not found.isprintable() or " " in found):
        raise InvalidInputError(
            f"A token must have {SHORTEST} or more printable ASCII characters without blanks. Got {len(found)} characters."
        )
    return found


def check_address(host: str, token: str | None, insecure: bool) -> None:
    """Refuse to listen where others can ask, if there is no token.

    Raises
    ------
    InvalidInputError
        If the host is not a loopback address, and there is neither a token nor `insecure`.
    """
    if token is None and not insecure and not _is_loopback(host):
        raise InvalidInputError(
            f"Anyone who reaches {host} could ask this service. Set a token ({TOKEN_VARIABLE} or --token-file), "
            "or pass --insecure if something else guards it."
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class TokenGuard:
    """ASGI middleware: answers 401 to requests without the token, before their body is read.

    Parameters
    ----------
    app : ASGI application
    token : str
    refuse : ASGI application
        Answers 401.
    """

    def __init__(self, app: App, token: str, refuse: App) -> None:
        self._app, self._refuse = app, refuse
        self._digest = _digest(token.encode())

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Pass a request on, or refuse it."""
        allowed = scope["type"] != "http" or scope["path"] in OPEN or self._knows(scope["headers"])
        await (self._app if allowed else self._refuse)(scope, receive, send)

    def _knows(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        given = []
        for name, value in headers:
            if name == b"x-api-key":
                given.append(value)
            elif name == b"authorization" and value[:7].lower() == b"bearer ":
                given.append(value[7:])
        # Digests have one length, so that the comparison does not tell the token's.
        return any(hmac.compare_digest(_digest(one.strip()), self._digest) for one in given)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
