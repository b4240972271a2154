"""Load for a service: requests at a fixed rate over open connections, timed from the moment at which each was due."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from tests.service.running import Client


@dataclass
class Load:
    """What came back: seconds from due to answered, statuses, and bodies of answers if they are kept."""

    seconds: list = field(default_factory=list)
    statuses: dict = field(default_factory=dict)
    bodies: set = field(default_factory=set)
    broken: int = 0

    def percentile(self, q):
        """Milliseconds."""
        return float(np.percentile(self.seconds, q) * 1e3)


def message(path, document):
    body = json.dumps(document).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def send_at_rate(port, sent, rate, seconds, *, connections=8, keep=False):
    """Send a message `rate` times a second; connections that break are opened again and counted."""
    load, total = Load(), round(rate * seconds)

    async def all_of_it():
        start = time.perf_counter() + 0.2
        numbers = iter(range(total))

        async def connection():
            reader = writer = None
            for number in numbers:
                due = start + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                try:
                    if writer is None:
                        reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    status, body = await _exchange(reader, writer, sent)
                except (OSError, asyncio.IncompleteReadError, ValueError):
                    load.broken += 1
                    with contextlib.suppress(OSError, AttributeError):
                        writer.close()
                    writer = None
                    await asyncio.sleep(0.02)
                    continue
                load.seconds.append(time.perf_counter() - due)
                load.statuses[status] = load.statuses.get(status, 0) + 1
                if keep:
                    load.bodies.add((status, body))
            if writer is not None:
                writer.close()

        await asyncio.gather(*(connection() for _ in range(connections)))

    asyncio.run(all_of_it())
    return load


async def _exchange(reader, writer, sent):
    writer.write(sent)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].partition("\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length)


@contextlib.contextmanager
def served(*arguments, port, wait=True, **environment):
    """Run ``automl-explain serve`` as a process of its own, and yield it with a client."""
    command = [sys.executable, "-m", "automl_explain.cli", "serve", *map(str, arguments), "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        client = Client(port)
        if wait:
            wait_until_ready(client, process)
        yield process, client
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(client, process=None, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end and (process is None or process.poll() is None):
        with contextlib.suppress(OSError):
            if client.get("/readyz").status == 200:
                return
        time.sleep(0.05)
    raise AssertionError("the service did not become ready")


def memory_of(process):
    """Resident megabytes of a process."""
    with open(f"/proc/{process.pid}/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def processor_seconds(process):
    """Seconds of processor time that a process has used."""
    with open(f"/proc/{process.pid}/stat") as stream:
        facts = stream.read().rpartition(")")[2].split()
    return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")
