"""Dates in requests, models of several targets, rows as CSV and tensors as bytes: the numbers of `explain_local` everywhere."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.service.models import dated, records, visits
from tests.service.running import running

ROWS = dated(12)
NAMES = ["target 0", "target 1"]


@pytest.fixture(scope="module")
def model():
    return visits()


@pytest.fixture(scope="module")
def client(model):
    with running({"visits": model}) as client:
        yield client


@pytest.fixture(scope="module")
def expected(model):
    return model.scorer.explain_local(ROWS)


def cells():
    return {name: [row[name] for row in records(ROWS)] for name in ROWS}


def as_csv(rows):
    return rows.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S.%f%z").encode()


# ---------------------------------------------------------------------------------------------- targets and dates


def test_score_has_the_outputs_and_reasons_of_each_target(client, expected):
    answer = client.post("/score", {"records": records(ROWS), "top_k": 2}).json
    assert answer["targets"] == NAMES
    assert answer["classes"] is None
    np.testing.assert_array_equal(answer["predictions"], expected.predictions)
    np.testing.assert_array_equal(answer["local_importance_values"], expected.local_importance_values)
    for row, said in enumerate(answer["reasons"]):
        for k, name in enumerate(NAMES):
            values = expected.local_importance_values[k][row]
            best = [j for j in np.argsort(-abs(values), kind="stable")[:2] if values[j]]
            own = [one for one in said if one["target"] == name]
            assert [one["feature"] for one in own] == [list(ROWS)[j] for j in best]
            assert all(f"the output of '{name}'" in one["text"] for one in own)
            assert all(one["value"] == records(ROWS)[row][one["feature"]] for one in own)


def test_reasons_write_days_without_a_time(client):
    row = records(ROWS[:1])[0] | {"since": "2021-11-27T00:00:00.000"}
    said = client.post("/score", {"records": [row], "top_k": 9}).json["reasons"][0]
    assert any(one["text"].startswith("since = 2021-11-27 ") for one in said)


def test_all_protocols_give_the_numbers_of_several_targets(client, expected):
    by_row = expected.local_importance_values.transpose(1, 0, 2)
    explained = client.post("/v1/models/visits:explain", {"instances": records(ROWS)}).json
    assert explained["targets"] == NAMES
    np.testing.assert_array_equal([one["local_importance_values"] for one in explained["explanations"]], by_row)
    tensors = [
        {"name": n, "shape": [12], "datatype": "BYTES" if n in ("town", "since", "seen") else "FP64", "data": c}
        for n, c in cells().items()
    ]
    answer = client.post("/v2/models/visits/infer", {"inputs": tensors}).json
    found = {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in answer["outputs"]}
    np.testing.assert_array_equal(found["local_importance"], by_row)
    np.testing.assert_array_equal(found["predictions"], expected.predictions)
    described = client.get("/v2/models/visits").json
    assert {one["name"]: len(one["shape"]) for one in described["outputs"]} == {k: v.ndim for k, v in found.items()}
    assert [one["datatype"] for one in described["inputs"]][-2:] == ["BYTES", "BYTES"]
    flow = pd.DataFrame(client.post("/invocations", {"dataframe_records": records(ROWS)}).json["predictions"])
    for k, name in enumerate(NAMES):
        np.testing.assert_array_equal(flow[f"prediction.{name}"], expected.predictions[:, k])
        values = flow[[f"local_importance.{name}.{feature}" for feature in ROWS]].to_numpy()
        np.testing.assert_array_equal(values, expected.local_importance_values[k])


def test_importance_and_docs_know_targets_and_dates(client):
    client.post("/score", records(ROWS))
    assert client.get("/importance").status == 200
    assert b'feature="since"' in client.get("/metrics").body
    record = client.get("/openapi.json").json["paths"]["/score"]["post"]["requestBody"]["content"]
    cell = record["application/json"]["schema"]["anyOf"][1]["properties"]
    assert cell["since"] == {
        "type": ["string", "null"],
        "description": "an ISO date, such as '2024-01-31' or '2024-01-31T08:30:00'",
    }


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("since", 1706659200000, "date_format='iso'"),
        ("since", "soon", "such as '2024-01-31'"),
        ("since", "2024-01-31T00:00:00Z", "without a time zone"),
        ("seen", "2024-01-31", "with a time zone"),
        ("seen", True, "True"),
    ],
)
def test_cells_that_are_no_dates_are_listed(client, column, cell, words):
    answer = client.post("/score", records(ROWS[:1])[0] | {column: cell})
    assert answer.status == 422
    assert list(answer.json["columns"]) == [column]
    assert words in answer.json["columns"][column]


# ------------------------------------------------------------------------------------------------------------ CSV


@pytest.mark.parametrize("content", ["text/csv", "text/csv; charset=utf-8"])
def test_rows_of_csv_are_rows_of_json(client, content):
    wanted = client.post("/invocations", {"dataframe_records": records(ROWS)}).json
    turned = ROWS[list(ROWS)[::-1]]
    for body in (as_csv(ROWS), as_csv(turned), "\ufeff".encode() + as_csv(ROWS), as_csv(ROWS).replace(b"\n", b"\r\n")):
        answer = client.post("/invocations", body, {"Content-Type": content})
        assert answer.status == 200, answer.body
        assert answer.json == wanted


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 422, "Got nothing"),
        (b"\xff\xfe", 400, "UTF-8"),
        (b'a,"b', 400, "CSV"),
        (b"age,age\n1,2\n", 422, "is there twice"),
        (b"age\n1\n", 422, "is missing"),
        (as_csv(ROWS[:0]), 422, "at least one row"),
        (as_csv(ROWS).replace(b"Bonn", b"Cork"), 422, "'Cork'"),
        (as_csv(ROWS) + b"1,2\n", 422, "2 cells"),
        (as_csv(ROWS) + b"1_0,,,Bonn,,2024-01-31T00:00Z\n", 422, "'1_0'"),
        (as_csv(ROWS) + b"x,,,Bonn,,2024-01-31T00:00Z\n", 422, "'x'"),
        (as_csv(ROWS) + b"1,,,Bonn,soon,2024-01-31T00:00Z\n", 422, "'soon'"),
        (as_csv(ROWS) + b"1e999,,,Bonn,,2024-01-31T00:00Z\n", 422, "too large"),
    ],
)
def test_what_is_no_csv_of_the_columns_is_refused(client, body, status, words):
    answer = client.post("/invocations", body, {"Content-Type": "text/csv"})
    assert answer.status == status
    assert words in answer.json["error"]


def test_other_routes_take_no_csv(client):
    assert client.post("/score", as_csv(ROWS), {"Content-Type": "text/csv"}).status == 415


# ------------------------------------------------------------------------------------------------- binary tensors


def packed(kinds=None, outputs=None, **changes):
    """A request whose tensors follow its JSON, and its headers."""
    tensors, tail = [], b""
    for name, column in cells().items():
        kind = (kinds or {}).get(name) or ("BYTES" if name in ("town", "since", "seen") else "FP64")
        if kind == "BYTES" and None in column:
            tensors.append({"name": name, "shape": [12], "datatype": "BYTES", "data": column})
            continue
        if kind == "BYTES":
            texts = [text.encode() for text in column]
            made = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
        else:
            made = np.array(
                [np.nan if c is None else c for c in column], {"FP64": "<f8", "FP32": "<f4", "FP16": "<f2"}[kind]
            ).tobytes()
        tensors.append({"name": name, "shape": [12], "datatype": kind, "parameters": {"binary_data_size": len(made)}})
        tail += made
    document = {"inputs": tensors, **({} if outputs is None else {"outputs": outputs}), **changes}
    head = json.dumps(document).encode()
    return head + tail, {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}


def unpacked(answer):
    length = answer.headers.get("inference-header-content-length")
    if length is None:
        assert answer.headers["content-type"] == "application/json"
        return {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in answer.json["outputs"]}
    head, rest, found = json.loads(answer.body[: int(length)]), answer.body[int(length) :], {}
    for one in head["outputs"]:
        size = one.get("parameters", {}).get("binary_data_size")
        data = one.get("data") if size is None else np.frombuffer(rest[:size], {"FP64": "<f8"}[one["datatype"]])
        rest = rest[size or 0 :]
        found[one["name"]] = np.array(data).reshape(one["shape"])
    assert not rest
    return found


@pytest.mark.parametrize("every", [False, True])
def test_tensors_as_bytes_are_tensors_of_json(client, expected, every):
    body, headers = packed(parameters={"binary_data_output": every})
    found = unpacked(client.post("/v2/models/visits/infer", body, headers))
    np.testing.assert_array_equal(found["local_importance"], expected.local_importance_values.transpose(1, 0, 2))
    np.testing.assert_array_equal(found["predictions"], expected.predictions)
    assert client.get("/v2").json["extensions"] == ["binary_tensor_data"]


def test_each_output_says_whether_it_is_bytes(client, expected):
    outputs = [{"name": "outputs", "parameters": {"binary_data": True}}, {"name": "base_values"}]
    answer = client.post("/v2/models/visits/infer", *packed(outputs=outputs))
    found = unpacked(answer)
    assert answer.headers["content-type"] == "application/octet-stream"
    np.testing.assert_array_equal(found["outputs"], expected.predictions)
    np.testing.assert_array_equal(found["base_values"], expected.expected_values)


def test_tensors_of_half_and_single_precision_are_what_they_hold(client, model):
    rows = ROWS.astype({"age": "float16", "income": "float32"}).astype({"age": float, "income": float})
    found = unpacked(client.post("/v2/models/visits/infer", *packed({"age": "FP16", "income": "FP32"})))
    np.testing.assert_array_equal(found["outputs"], model.scorer.predict(rows))


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (lambda body, headers: (body + b"x", headers), 422, "its tensors have"),
        (lambda body, headers: (body[:-1], headers), 422, "binary_data_size"),
        (lambda body, headers: (body, headers | {"Inference-Header-Content-Length": "-1"}), 400, "number of bytes"),
        (lambda body, headers: (body, headers | {"Inference-Header-Content-Length": "9" * 30}), 400, "number of bytes"),
        (lambda body, headers: (body, headers | {"Inference-Header-Content-Length": "10"}), 400, "JSON"),
        (lambda body, headers: (body.replace(b'"FP64"', b'"INT8"', 1), headers), 422, "elements"),
        (lambda body, headers: (body.replace(b'"FP64"', b'"FP65"', 1), headers), 422, "datatype"),
        (lambda body, headers: (body.replace(b'"BYTES"', b'"FP64" ', 1), headers), 422, "town"),
        (lambda body, headers: (body.replace(b"[12]", b"[13]", 1), headers), 422, "shape"),
        (lambda body, headers: (body.replace(b'e": 96}', b'e": -6}', 1), headers), 422, "binary_data_size"),
        (
            lambda body, headers: (body.replace(b"\x04\x00\x00\x00Bonn", b"\xff\x00\x00\x00Bonn", 1), headers),
            422,
            "length",
        ),
        (lambda body, headers: (body.replace(b"Bonn", b"\xffonn", 1), headers), 422, "UTF-8"),
    ],
)
def test_bytes_that_are_no_tensors_are_refused(client, change, status, words):
    body, headers = packed()
    changed = change(body, headers)
    assert changed != (body, headers)
    answer = client.post("/v2/models/visits/infer", *changed)
    assert answer.status == status, answer.body
    assert words in answer.body.decode()
