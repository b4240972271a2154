"""Malformed requests that schemathesis draws from the description of a running service."""

import re
import subprocess
import sys

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def attack(client, n_examples):
    """Send malformed requests, `n_examples` for each check of each route; return their number by the class of the answer."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{client.port}/openapi.json"]
    options = ["--no-color", "--generation-database", "none", "--phases", "coverage,fuzzing", "--checks", CHECKS]
    options += ["--mode", "negative", "--include-method", "POST", "--max-examples", str(n_examples), "--seed", "1"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    found: dict[str, int] = {}
    for status, count in re.findall(
        r'requests_total\{route="[^"]*",status="(\d+)"\} (\d+)', client.get("/metrics").body.decode()
    ):
        found[status[0]] = found.get(status[0], 0) + int(count)
    return found
