"""Who may ask the server of a dashboard: the page that it sent, and nobody else.

A page of another site can send requests to this machine, and a name of another site can be made to point to it. The server
therefore answers only if the address has the token, `Host` is its own, and `Origin`, where a browser sends one, is too. No
answer has headers of CORS, so that no other page may read it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"x-frame-options": b"DENY",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
"""Sent with every answer: the token in the address is not told to others, and no other page frames or reads this one."""


def new_token() -> str:
    """Return a random token for an address."""
    return secrets.token_urlsafe(24)


class PageGuard:
    """ASGI middleware: answers requests for ``/TOKEN/...`` that come from the page itself.

    Parameters
    ----------
    app : ASGI application
        Gets the path after the token.
    token : str
    port : int
        Port that the server listens on, on a loopback address.
    """

    def __init__(self, app: App, token: str, port: int) -> None:
        self._app, self._token = app, token.encode()
        hosts = [f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost", "[::1]")]
        self._hosts, self._origins = set(hosts), {b"http://" + host for host in hosts}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        status = self._refusal(scope)
        if status:
            await _refuse(status, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [pair for pair in message.get("headers", []) if pair[0].lower() not in HEADERS]
                message = {**message, "headers": [*own, *HEADERS.items()]}
            await send(message)

        inner = "/" + scope["path"].split("/", 2)[2]
        await self._app({**scope, "path": inner, "raw_path": inner.encode()}, receive, guarded)

    def _refusal(self, scope: Message) -> int:
        """Return the status of a refusal; 0 if the request may pass."""
        if scope["type"] != "http":
            return 403
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        if len(headers.get(b"host", [])) != 1 or headers[b"host"][0].lower() not in self._hosts:
            return 403
        if any(origin.lower() not in self._origins for origin in headers.get(b"origin", [])):
            return 403
        parts = scope["path"].split("/", 2)
        known = len(parts) == 3 and hmac.compare_digest(parts[1].encode(), self._token)
        return 0 if known else 404


async def _refuse(status: int, send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"This address is not that of a dashboard.\n"})
