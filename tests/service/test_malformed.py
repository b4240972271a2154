"""Malformed requests, drawn from the service's own description, are refused and never break it."""

import pytest

from tests.service.attack import attack
from tests.service.models import classifier, records, regressor, visits
from tests.service.running import running


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_malformed_requests_are_refused(rows):
    with running({"loans": classifier(), "prices": regressor(), "visits": visits()}) as client:
        before = client.post("/score", records(rows)).body
        found = attack(client, 100)
        assert found["4"] >= 500
        assert set(found) <= {"2", "4"}
        assert client.post("/score", records(rows)).body == before
