"""What a request is refused with: a status, a sentence and the columns; never a traceback or a part of an answer."""

import json
import socket
import threading
import time

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError as UnfittedError

from automl_explain import ServiceLimits, TabularExplainer, scoring_explainer
from automl_explain.explainers._errors import InvalidInputError
from tests.service.models import classifier, records
from tests.service.running import running


@pytest.fixture
def row(rows):
    return records(rows)[0]


def refused(answer, status, *words):
    assert answer.status == status, answer.body
    assert answer.json["status"] == status
    for word in words:
        assert word in answer.body.decode(), answer.body
    assert b"Traceback" not in answer.body
    assert not {"predictions", "outputs"} & set(answer.json)
    return answer.json


# ---------------------------------------------------------------------------------------------------------- the columns


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        (lambda row: row.pop("age"), {"age": "is missing"}),
        (lambda row: row.update(more=1), {"more": "is unknown"}),
        (lambda row: row.update(incom=row.pop("income")), {"income": "is missing", "incom": "did you mean 'income'?"}),
        (lambda row: row.update(age="3.5"), {"age": "number"}),
        (lambda row: row.update(age=None), {"age": "missing"}),
        (lambda row: row.update(age=[1.0]), {"age": "list"}),
        (lambda row: row.update(age={"a": 1}), {"age": "object"}),
        (lambda row: row.update(town="Cork"), {"town": "'Cork'"}),
        (lambda row: row.update(town=3.0), {"town": "'3.0'"}),
        (lambda row: row.update(age=10**400), {"age": "number"}),
        (lambda row: row.update(age="x", town="y"), {"age": "number", "town": "'y'"}),
    ],
)
def test_columns_that_do_not_match_are_listed(service, row, change, columns):
    good = dict(row)
    change(row)
    answer = refused(service.post("/score", [good, row]), 422)
    said = answer["columns"]
    assert "?." not in answer["error"]
    assert set(said) == set(columns)
    for name, words in columns.items():
        assert words in said[name]


def test_columns_are_checked_in_every_protocol(service, row):
    bad = {**row, "town": "Cork"}
    tensors = [
        {"name": n, "shape": [1], "datatype": "BYTES" if n == "town" else "FP64", "data": [c]} for n, c in bad.items()
    ]
    bodies = {
        "/score": [bad],
        "/v1/models/loans:predict": {"instances": [bad]},
        "/v1/models/loans:explain": {"instances": [list(bad.values())]},
        "/v2/models/loans/infer": {"inputs": tensors},
        "/invocations": {"dataframe_records": [bad]},
    }
    for path, body in bodies.items():
        assert list(refused(service.post(path, body), 422)["columns"]) == ["town"]


# ------------------------------------------------------------------------------------------------------------- the body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe\x00", 400),
        (b'{"age": NaN}', 400),
        (b'[{"age": 1, "age": 2}]', 400),
        (b"[" * 100_000, 400),
        (b"1" * 5000, 400),
        (b"null", 422),
        (b"3", 422),
        (b'"text"', 422),
        (b"[]", 422),
        (b"{}", 422),
        (b"[1]", 422),
        (b"[null]", 422),
        (b'{"records": []}', 422),
        (b'{"records": {}, "split": {}}', 422),
        (b'{"records": [{}], "more": 1}', 422),
        (b'{"explain": true}', 422),
        (b'{"split": {"columns": ["a", "a"], "data": []}}', 422),
        (b'{"split": {"columns": [1], "data": []}}', 422),
        (b'{"columns": [], "data": []}', 422),
        (b'{"age": [1, 2], "income": [1], "debt ratio": [1], "town": ["Bonn"]}', 422),
        (b'{"age": [1], "income": 1, "debt ratio": [1], "town": ["Bonn"]}', 422),
        (b'{"age": {"0": 1}, "income": {"1": 1}, "debt ratio": {"0": 1}, "town": {"0": "Bonn"}}', 422),
        (b'{"age": 1e999, "income": 1, "debt ratio": 1, "town": "Bonn"}', 422),
        ('{"\ud800": 1}'.encode("utf-8", "surrogatepass"), 400),
        (b'{"\\ud800": 1}', 422),
    ],
)
def test_bodies_that_are_no_table(service, body, status):
    refused(service.post("/score", body), status)


@pytest.mark.parametrize(
    "options", [{"top_k": -1}, {"top_k": 1.5}, {"top_k": True}, {"explain": 1}, {"explain": "no"}, {"topk": 3}]
)
def test_options_are_checked(service, row, options):
    refused(service.post("/score", {"records": [row], **options}), 422)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"datatype": "FP12"}, "datatype"),
        ({"datatype": ["FP64"]}, "datatype"),
        ({"datatype": "INT64"}, "datatype"),
        ({"shape": [2]}, "shape"),
        ({"shape": [1, 2]}, "elements"),
        ({"shape": [1, 1, 1]}, "shape"),
        ({"shape": [True]}, "shape"),
        ({"shape": "1"}, "shape"),
        ({"shape": [10**30]}, "elements"),
        ({"data": None}, "data"),
        ({"data": [[1.5], 2]}, "elements"),
        ({"name": "ag"}, "age"),
        ({"name": 3}, "name"),
        ({"name": "income"}, "name"),
    ],
)
def test_tensors_are_checked(service, row, change, words):
    tensors = [
        {"name": n, "shape": [1], "datatype": "BYTES" if n == "town" else "FP64", "data": [c]} for n, c in row.items()
    ]
    tensors[0] = {**tensors[0], "data": [1.5], **change}
    refused(service.post("/v2/models/loans/infer", {"inputs": tensors}), 422, words)


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": []},
        {"inputs": {}},
        {"inputs": [3]},
        {"id": 3, "inputs": [{}]},
        {"inputs": [{"name": "age"}], "outputs": [{"name": "nothing"}]},
        {"inputs": [{"name": "age"}], "outputs": ["predictions"]},
        {"inputs": [{"name": "age"}], "outputs": [{}]},
    ],
)
def test_requests_for_tensors_are_checked(service, body):
    refused(service.post("/v2/models/loans/infer", body), 422)


def test_routes_methods_and_types(service, row):
    refused(service.post("/score/nobody", [row]), 404, "loans")
    refused(service.post("/v1/models/nobody:predict", {"instances": [row]}), 404)
    refused(service.get("/nothing"), 404)
    refused(service.get("/score"), 405)
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": ""}, {"Content-Encoding": "gzip"}):
        refused(service.post("/score", [row], headers), 415)
    assert service.post("/score", [row], {"Content-Type": "application/json; charset=utf-8"}).status == 200


# --------------------------------------------------------------------------------------------------------------- limits


@pytest.fixture(scope="module")
def small():
    with running(classifier(), limits=ServiceLimits(max_body=20_000, max_rows=5, deadline=2.0)) as client:
        yield client


def test_more_rows_than_allowed(small, row):
    assert small.post("/score", [row] * 5).status == 200
    for body in ([row] * 6, {name: [cell] * 6 for name, cell in row.items()}):
        refused(small.post("/score", body), 413, "5 rows")
    refused(small.post("/v1/models/model:predict", {"instances": [list(row.values())] * 6}), 413)


def test_a_larger_body_than_allowed_by_its_length_or_in_chunks(small):
    refused(small.post("/score", b" " * 20_001), 413, "20,000 bytes")

    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as connection:
        connection.sendall(
            b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(3):
            connection.sendall(b"2000\r\n" + b" " * 0x2000 + b"\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_arrive(small):
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as connection:
        connection.sendall(
            b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n["
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_ten_megabytes_are_allowed_by_default(service, row):
    many = json.dumps([row] * 10_000)
    padded = many.encode() + b" " * (10_000_000 - len(many))
    assert service.send("POST", "/score", padded[:-1] + b"x", {"Content-Type": "application/json"}).status == 400


@pytest.mark.parametrize("limits", [{"max_rows": 0}, {"deadline": float("nan")}, {"threads": 1.5}, {"max_body": True}])
def test_limits_are_checked(limits):
    with pytest.raises(InvalidInputError, match=next(iter(limits))):
        ServiceLimits(**limits)


# ---------------------------------------------------------------------------------------- models that raise or hang


class Moody:
    """A model that does what it is told before it scores."""

    def __init__(self):
        self.inner, self.mood, self.calls = classifier(), lambda: None, 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def score(self, cells, explain):
        self.calls += 1
        self.mood()
        return self.inner.score(cells, explain)


def raises(error):
    def mood():
        raise error

    return mood


def test_an_error_of_the_model_is_logged_and_not_shown(row, caplog):
    moody = Moody()
    with running(moody) as client:
        moody.mood = raises(ZeroDivisionError("secret"))
        said = refused(client.post("/score", [row]), 500)
        assert "secret" not in str(said)
        assert "secret" in caplog.text
        moody.mood = raises(InvalidInputError("The model takes no such rows."))
        refused(client.post("/score", [row]), 422, "takes no such rows")
        moody.mood = lambda: None
        assert client.post("/score", [row]).status == 200


def test_words_of_a_black_box_are_logged_and_not_shown(caplog):
    def model(rows):
        if (rows[:, 0] > 200).any():
            raise UnfittedError("secret")
        if (rows[:, 0] > 100).any():
            raise ZeroDivisionError("secret")
        return np.where(rows[:, 0] > 50, np.nan, rows[:, 0])

    with running(scoring_explainer(TabularExplainer(model, np.arange(20.0).reshape(10, 2)))) as client:
        said = refused(client.post("/score", [{"x0": 101.0, "x1": 0.0}]), 500)
        assert "secret" not in str(said)
        assert "secret" in caplog.text
        assert "secret" not in str(refused(client.post("/score", [{"x0": 201.0, "x1": 0.0}]), 500))
        refused(client.post("/score", [{"x0": 51.0, "x1": 0.0}]), 422, "NaN or infinity")
        refused(client.post("/score", [{"x0": 10**400, "x1": 0.0}]), 422)  # an error of Python is its cause, too
        assert client.post("/score", [{"x0": 1.0, "x1": 0.0}]).status == 200


def test_a_model_whose_warm_up_fails_is_never_ready(row, caplog):
    moody = Moody()
    moody.warm_up = raises(ZeroDivisionError("secret"))
    with running(moody, ready=False) as client:
        end = time.monotonic() + 10
        while b"failed" not in client.get("/readyz").body and time.monotonic() < end:
            time.sleep(0.01)
        refused(client.get("/readyz"), 503, "warm-up failed")
        refused(client.post("/score", [row]), 503)
        assert client.get("/livez").status == 200
    assert "secret" in caplog.text


def test_work_ends_at_the_deadline_between_blocks(row):
    moody = Moody()
    limits = ServiceLimits(deadline=0.5, block_rows=1, threads=1)
    with running(moody, limits=limits) as client:
        moody.mood, moody.calls = lambda: time.sleep(0.2), 0
        start = time.monotonic()
        refused(client.post("/score", [row] * 50), 504, "0.5 s")
        assert time.monotonic() - start < 3
        moody.mood = lambda: None
        assert client.post("/score", [row]).status == 200
        assert moody.calls <= 5  # a few of the 50 blocks


def test_waiting_requests_are_bounded_and_a_model_that_hangs_is_reported(row):
    moody, release = Moody(), threading.Event()
    limits = ServiceLimits(deadline=0.3, threads=1, max_waiting=1)
    with running(moody, limits=limits) as client:
        moody.mood = lambda: release.wait(20)
        refused(client.post("/score", [row]), 504)
        refused(client.get("/readyz"), 503, "deadline")
        refused(client.post("/score", [row]), 504)  # waits for the thread
        busy = client.post("/score", [row])
        refused(busy, 429)
        assert int(busy.headers["retry-after"]) >= 1
        end = time.monotonic() + 10
        while client.get("/livez").status == 200 and time.monotonic() < end:
            time.sleep(0.02)
        refused(client.get("/livez"), 503, "hang")
        moody.mood = lambda: None
        release.set()
        while client.get("/readyz").status != 200 and time.monotonic() < end:
            time.sleep(0.02)
        assert client.post("/score", [row]).status == 200
        assert client.get("/livez").status == 200
