"""Tokens, and addresses that need one."""

import pytest

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.service.server._security import check_address, read_token
from automl_explain.service.server._serve import serve
from tests.service.models import classifier, records
from tests.service.running import running

TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def guarded():
    with running(classifier(), token=TOKEN) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": TOKEN}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"X-API-Key": TOKEN[:-1]}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Authorization": f"bearer {TOKEN}"}, 200),
        ({"X-API-Key": TOKEN}, 200),
    ],
)
def test_requests_need_the_token(guarded, rows, headers, status):
    assert guarded.post("/score", records(rows), headers).status == status
    for path in ("/metrics", "/docs", "/openapi.json", "/v1/models", "/v2/models/model", "/version"):
        answer = guarded.get(path, headers=headers)
        assert answer.status == status, path
        if status == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
            assert TOKEN.encode() not in answer.body


def test_probes_need_no_token_and_say_nothing_of_the_model(guarded):
    for path in ("/livez", "/readyz", "/ping", "/health", "/v2/health/live", "/v2/health/ready"):
        assert guarded.get(path).json in ({"live": True}, {"ready": True}, {})


def test_no_answer_allows_other_origins_or_names_the_server(guarded):
    answer = guarded.send("OPTIONS", "/score", headers={"Origin": "https://a.example", "X-API-Key": TOKEN})
    assert answer.status == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_token_comes_from_an_argument_a_file_or_the_environment(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    assert read_token(TOKEN, None, {}) == read_token(None, str(path), {}) == TOKEN
    assert read_token(None, None, {"AUTOML_EXPLAIN_TOKEN": TOKEN}) == TOKEN
    assert read_token(None, None, {}) is None
    for token, file in (("short", None), (TOKEN, str(path)), (None, str(tmp_path / "no")), (f"{TOKEN} a", None)):
        with pytest.raises(InvalidInputError):
            read_token(token, file, {})
    with pytest.raises(InvalidInputError, match="16"):
        read_token(None, None, {"AUTOML_EXPLAIN_TOKEN": ""})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.3", "example.org", ""])
def test_other_machines_are_not_served_without_a_token(host):
    with pytest.raises(InvalidInputError, match="--insecure"):
        check_address(host, None, False)
    check_address(host, TOKEN, False)
    check_address(host, None, True)
    with pytest.raises(InvalidInputError):
        serve({"model": None}, host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_token(host):
    check_address(host, None, False)
