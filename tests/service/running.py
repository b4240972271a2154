"""A service on loopback, and a client that speaks plain HTTP to it."""

import contextlib
import http.client
import json
import threading
import time
from dataclasses import dataclass, field

import uvicorn

from automl_explain import create_app


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Client:
    port: int
    headers: dict = field(default_factory=dict)

    def send(self, method, path, body=None, headers=(), timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body, {**self.headers, **dict(headers)})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def get(self, path, **others):
        return self.send("GET", path, **others)

    def post(self, path, document, headers=(), **others):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.send("POST", path, body, {"Content-Type": "application/json", **dict(headers)}, **others)


@contextlib.contextmanager
def running(bundles, *, ready=True, **options):
    """Serve bundles in a thread, and yield a client."""
    app = create_app(bundles, **options)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False)
    server, socket = uvicorn.Server(config), config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    client = Client(socket.getsockname()[1])
    client.service = app.state.service if hasattr(app, "state") else None
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if client.get("/readyz" if ready else "/livez").status == 200:
                break
        time.sleep(0.02)
    else:
        raise AssertionError("the service did not become ready")
    try:
        yield client
    finally:
        server.should_exit = True
        thread.join(20)
        socket.close()
        assert not thread.is_alive()
