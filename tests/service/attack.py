"""Malformed requests that schemathesis draws from the description of a running service."""

import re
import subprocess
import sys
import tempfile
from collections import Counter

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def answers(client):
    """Return the number of the service's answers by their class, such as "4"."""
    lines = re.findall(r'requests_total\{route="[^"]*",status="(\d)\d+"\} (\d+)', client.get("/metrics").body.decode())
    return Counter({kind: sum(int(count) for other, count in lines if other == kind) for kind, _ in lines})


def attack(client, n_examples):
    """Send malformed requests, `n_examples` for each check of each route; return their number by the class of the answer."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{client.port}/openapi.json"]
    options = ["--no-color", "--generation-database", "none", "--phases", "coverage,fuzzing", "--checks", CHECKS]
    options += ["--mode", "negative", "--include-method", "POST", "--max-examples", str(n_examples), "--seed", "1"]
    before = answers(client)
    with tempfile.TemporaryDirectory() as folder:  # it writes a cache to where it runs
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=1500, cwd=folder)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return answers(client) - before
