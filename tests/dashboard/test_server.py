"""The server of a dashboard: its answers, and who may ask."""

import http.client
import json
import socket
from urllib.parse import urlsplit

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from automl_explain import ExplanationDashboard, InvalidInputError, explain_model
from automl_explain.dashboard.transports._answers import MOST_ROWS, Answers


class Failing:
    """A model that raises for rows whose first cell is negative."""

    def __init__(self, model):
        self.model = model

    def __call__(self, rows):
        if np.asarray(rows)[:, 0].min() < 0:
            raise RuntimeError("no negative cells <b>")
        return self.model.predict_proba(rows)


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    X = np.abs(rng.normal(size=(60, 3)))
    y = (X[:, 0] > 0.7).astype(int)
    return LogisticRegression().fit(X, y), X


@pytest.fixture(scope="module")
def served(case):
    model, X = case
    with ExplanationDashboard(explain_model(model, X, X), model, X).serve() as server:
        yield server


@pytest.fixture
def ask(served):
    """A request to the server: (status, headers, body)."""

    def asked(method, path, body=None, **headers):
        address = urlsplit(served.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
        names = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        connection.request(method, path.replace("TOKEN", address.path.strip("/")), body, names)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    return asked


def rows_json(rows):
    return json.dumps({"rows": np.asarray(rows).tolist()})


def test_the_page_and_answers_equal_to_python(ask, case):
    model, X = case
    status, headers, page = ask("GET", "/TOKEN/")
    assert status == 200
    assert b'id="dashboard-data"' in page
    assert headers["Cache-Control"] == "no-store"
    status, _, body = ask("POST", "/TOKEN/predict", rows_json(X[:5]))
    assert status == 200
    np.testing.assert_allclose(json.loads(body)["probability"], model.predict_proba(X[:5]), atol=1e-12)
    status, _, body = ask("POST", "/TOKEN/explain", rows_json(X[:5]))
    answer = json.loads(body)
    expected = explain_model(model, X, X[:5])
    np.testing.assert_allclose(answer["values"], expected.shap_values, atol=1e-12)
    np.testing.assert_allclose(answer["expected"], expected.expected_values)
    assert answer["errors"] is None


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 404),
        ("/wrong-token-wrong-token-wrong-to/", {}, 404),
        ("/TOKEN", {}, 404),
        ("/TOKEN/", {"Host": "evil.example"}, 403),
        ("/TOKEN/", {"Host": "localhost"}, 403),
        ("/TOKEN/", {"Origin": "http://evil.example"}, 403),
        ("/TOKEN/", {"Origin": "null"}, 403),
        ("/TOKEN/docs", {}, 404),
        ("/TOKEN/openapi.json", {}, 404),
    ],
)
def test_others_are_refused(ask, path, headers, status):
    found, answered, body = ask("GET", path, **headers)
    assert found == status
    assert b"dashboard-data" not in body
    assert not [name for name in answered if name.lower().startswith("access-control")]


def test_the_page_under_the_name_localhost_may_ask(ask, served, case):
    own = {"Host": f"localhost:{served.port}", "Origin": f"http://localhost:{served.port}"}
    assert ask("POST", "/TOKEN/predict", rows_json(case[1][:1]), **own)[0] == 200


def test_a_form_of_another_site_cannot_ask(ask, case):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert ask("POST", "/TOKEN/predict", rows_json(case[1][:1]), Content_Type=kind)[0] == 415
    assert ask("OPTIONS", "/TOKEN/predict", Access_Control_Request_Method="POST")[0] == 405


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("", 422, "must be JSON"),
        ("[1]", 422, "must be JSON"),
        ('{"rows": 3}', 422, "1 to 5000 rows"),
        ('{"rows": []}', 422, "1 to 5000 rows"),
        ('{"rows": [[1, 2]]}', 422, "lists of 3 cells"),
        ('{"rows": [["a", 1, 2]]}', 422, "lists of numbers"),
        ('{"rows": [[1, 2], [1]]}', 422, "Rows must be lists"),
        (json.dumps({"rows": [[0, 0, 0]] * (MOST_ROWS + 1)}), 422, "1 to 5000 rows"),
        ('{"rows": ' + "[" * 100_000, 422, "must be JSON"),
        ("x" * 5_000_000, 413, "at most"),
    ],
)
def test_requests_that_cannot_be_answered_get_a_sentence(ask, body, status, said):
    found, _, answer = ask("POST", "/TOKEN/predict", body)
    assert found == status
    assert said in json.loads(answer)["error"]


def test_a_model_that_fails_on_a_row_is_quoted_and_answers_the_next_one(case):
    model, X = case
    failing = Failing(model)
    dashboard = ExplanationDashboard(explain_model(failing, X, X[:9]), failing, X[:9])
    answers = dashboard._answers
    for method in ("predict", "explain"):
        with pytest.raises(InvalidInputError, match="RuntimeError: no negative cells <b>"):
            answers.answer(method, [[-1.0, 0.0, 0.0]])
        assert answers.answer(method, X[:1].tolist())
    with pytest.raises(InvalidInputError, match="A question is one of"):
        answers.answer("__class__", X[:1].tolist())
    with pytest.raises(InvalidInputError, match="has no model"):
        Answers(None).answer("predict", X[:1].tolist())


def test_a_port_in_use_and_other_ports_that_cannot_be_used_are_refused(case):
    model, X = case
    dashboard = ExplanationDashboard(explain_model(model, X, X), model, X)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInputError, match=f"cannot listen on 127.0.0.1, port {port}; it may be in use"):
            dashboard.serve(port)
    for wrong in (-1, 65_536, "80", True):
        with pytest.raises(InvalidInputError, match="'port' parameter"):
            dashboard.serve(wrong)


def test_a_server_that_is_stopped_does_not_answer(case):
    model, X = case
    server = ExplanationDashboard(explain_model(model, X, X), model, X).serve()
    assert server.url in repr(server)
    assert server.url in server._repr_html_()
    server.stop()
    assert "stopped" in repr(server)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 5)
