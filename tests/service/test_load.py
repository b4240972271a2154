"""The service as a process of its own under load: no errors, no wrong answer after a crash, no growing memory."""

import signal
import socket
import threading
import time

import pytest

from automl_explain import save
from tests.service.load import memory_of, message, processor_seconds, send_at_rate, served
from tests.service.models import classifier, records, table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save(classifier().scorer, tmp_path_factory.mktemp("load") / "loans")


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_hundred_requests_a_second_are_all_answered_and_cost_less_than_their_time(bundle, port):
    sent = message("/score", records(table(1)))
    with served(bundle, port=port) as (process, _):
        send_at_rate(port, sent, 100, 2)
        before = processor_seconds(process)
        load = send_at_rate(port, sent, 100, 10, keep=True)
        used = processor_seconds(process) - before
    assert load.statuses == {200: 1000}
    assert load.broken == 0
    assert len(load.bodies) == 1
    assert used < 0.5 * 10  # half of one core; time on the clock depends on what else runs


def test_memory_does_not_grow_with_requests(bundle, port):
    sent = message("/score", records(table(1)))
    with served(bundle, port=port) as (process, _):
        send_at_rate(port, sent, 400, 5)
        before = memory_of(process)
        assert send_at_rate(port, sent, 400, 25).statuses == {200: 10_000}
        assert memory_of(process) - before < 5  # megabytes


def test_a_service_that_is_killed_and_started_again_gives_no_wrong_answer(bundle, port):
    sent = message("/score", records(table(3)))
    loads = []
    with served(bundle, port=port) as (process, client):
        expected = client.post("/score", records(table(3))).body
        thread = threading.Thread(target=lambda: loads.append(send_at_rate(port, sent, 50, 20, keep=True)))
        thread.start()
        time.sleep(3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with served(bundle, port=port):
            thread.join()
    load = loads[0]
    assert load.broken > 0
    assert load.statuses[200] > 200
    assert {body for status, body in load.bodies if status == 200} == {expected}
    assert set(load.statuses) <= {200, 503}  # 503: not yet ready


def test_a_service_that_is_asked_to_stop_answers_what_it_has_begun(bundle, port):
    sent = message("/score", records(table(300)) * 10)
    loads = []
    with served(bundle, port=port) as (process, client):
        expected = client.post("/score", records(table(300)) * 10).body
        thread = threading.Thread(
            target=lambda: loads.append(send_at_rate(port, sent, 1000, 0.002, connections=2, keep=True))
        )
        thread.start()
        time.sleep(0.35)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
        thread.join()
    assert loads[0].broken == 0
    assert loads[0].bodies == {(200, expected)}
