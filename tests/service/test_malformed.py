"""Thousands of malformed requests, drawn from the service's own description, are refused and never break it."""

import re
import subprocess
import sys

import pytest

from tests.service.models import classifier, records, regressor
from tests.service.running import running

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def attack(client, *arguments):
    """Run schemathesis, and return the number of its requests by the class of their answers."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{client.port}/openapi.json"]
    options = ["--no-color", "--generation-database", "none", "--phases", "coverage,fuzzing", "--checks", CHECKS]
    done = subprocess.run([*command, *options, *arguments], capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    found: dict[str, int] = {}
    for status, count in re.findall(
        r'requests_total\{route="[^"]*",status="(\d+)"\} (\d+)', client.get("/metrics").body.decode()
    ):
        found[status[0]] = found.get(status[0], 0) + int(count)
    return found


@pytest.mark.slow
@pytest.mark.timeout(1600)
def test_five_thousand_malformed_requests_are_refused(rows):
    with running({"loans": classifier(), "prices": regressor()}) as client:
        before = client.post("/score", records(rows)).body
        unready = client.get("/metrics").body.count(b'route="/readyz",status="503"')
        found = attack(client, "--mode", "negative", "--include-method", "POST", "--max-examples", "900", "--seed", "1")
        assert found["4"] >= 5000
        assert set(found) <= {"2", "4"} | ({"5"} if unready else set())
        assert client.post("/score", records(rows)).body == before
