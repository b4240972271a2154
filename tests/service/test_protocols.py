"""All protocols give the numbers of `explain_local`, whatever the form of the table."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.service.models import records

NAMES = ["loans", "prices"]


def cells(X):
    return {name: [row[name] for row in records(X)] for name in X}


def lists(X):
    return [list(row.values()) for row in records(X)]


def tensors(X):
    kinds = {name: "BYTES" if X[name].dtype == "category" else "FP64" for name in X}
    return [{"name": n, "shape": [len(X)], "datatype": kinds[n], "data": column} for n, column in cells(X).items()]


def local(explained):
    """Values with the rows first."""
    values = explained.local_importance_values
    return values if values.ndim == 2 else values.transpose(1, 0, 2)


@pytest.fixture
def expected(models, rows):
    return {name: model.scorer.explain_local(cells(rows)) for name, model in models.items()}


# ------------------------------------------------------------------------------------------------------- the protocols


@pytest.mark.parametrize("name", NAMES)
def test_score_says_everything(service, rows, expected, name):
    answer = service.post(f"/score/{name}", records(rows)).json
    explained = expected[name]
    np.testing.assert_array_equal(answer["local_importance_values"], explained.local_importance_values)
    np.testing.assert_array_equal(answer["outputs"], explained.predictions)
    np.testing.assert_array_equal(answer["base_values"], explained.expected_values)
    assert answer["features"] == list(rows)
    assert answer["model"] == name
    assert answer["output_space"] == explained.output_space
    if name == "prices":
        assert answer["classes"] is None
        assert answer["probabilities"] is None
        assert answer["predictions"] == explained.predictions[:, 0].tolist()
    else:
        assert answer["classes"] == ["no", "yes"]
        assert answer["predictions"] == [["no", "yes"][c] for c in explained.predictions.argmax(axis=1)]
        np.testing.assert_allclose(np.sum(answer["probabilities"], axis=1), 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_kserve_predicts_and_explains(service, rows, expected, name):
    score = service.post(f"/score/{name}", records(rows)).json
    predicted = service.post(f"/v1/models/{name}:predict", {"instances": records(rows)}).json
    assert predicted == {"predictions": score["predictions"]}
    explained = service.post(f"/v1/models/{name}:explain", {"instances": lists(rows)}).json
    assert explained["predictions"] == score["predictions"]
    found = [one["local_importance_values"] for one in explained["explanations"]]
    np.testing.assert_array_equal(found, local(expected[name]))
    np.testing.assert_array_equal([one["outputs"] for one in explained["explanations"]], expected[name].predictions)


@pytest.mark.parametrize("name", NAMES)
def test_open_inference_answers_tensors(service, rows, expected, name):
    answer = service.post(f"/v2/models/{name}/infer", {"id": "a1", "inputs": tensors(rows)}).json
    found = {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in answer["outputs"]}
    np.testing.assert_array_equal(found["local_importance"], local(expected[name]))
    np.testing.assert_array_equal(found["outputs"], expected[name].predictions)
    assert answer["id"] == "a1"
    described = service.get(f"/v2/models/{name}").json
    assert {one["name"]: len(one["shape"]) for one in described["outputs"]} == {k: v.ndim for k, v in found.items()}
    assert [one["name"] for one in described["inputs"]] == list(rows)
    versioned = f"/v2/models/{name}/versions/{described['versions'][0]}"
    only = service.post(f"{versioned}/infer", {"inputs": tensors(rows), "outputs": [{"name": "predictions"}]}).json
    assert [one["name"] for one in only["outputs"]] == ["predictions"]
    assert service.get(f"{versioned}/ready").json == {"name": name, "ready": True}
    assert service.get(f"/v2/models/{name}/versions/0/ready").status == 404


def test_mlflow_answers_a_record_for_each_row(service, rows, expected):
    explained = expected["loans"]
    split = {"columns": list(rows), "data": lists(rows), "index": list(range(len(rows)))}
    bodies = [
        {"dataframe_split": split},
        {"dataframe_records": records(rows)},
        {"instances": lists(rows)},
        {"inputs": cells(rows)},
    ]
    answers = [service.post("/invocations", body).json for body in bodies]
    assert all(answer == answers[0] for answer in answers)
    found = pd.DataFrame(answers[0]["predictions"])
    for c, label in enumerate(["no", "yes"]):
        values = found[[f"local_importance.{label}.{name}" for name in rows]].to_numpy()
        np.testing.assert_array_equal(values, explained.local_importance_values[c])
        np.testing.assert_array_equal(found[f"output.{label}"], explained.predictions[:, c])
    less = service.post("/invocations", bodies[0] | {"params": {"explain": False}}).json["predictions"][0]
    assert list(less) == ["prediction", "output.no", "probability.no", "output.yes", "probability.yes"]


# ------------------------------------------------------------------------------------------------------ forms of tables


def test_all_forms_of_a_table_and_any_order_of_columns_give_one_answer(service, rows):
    turned = rows[list(rows)[::-1]]
    split = {"columns": list(turned), "data": lists(turned)}
    bodies = [
        records(rows),
        records(turned),
        split,
        cells(turned),
        json.loads(rows.to_json()),
        json.loads(rows.to_json(orient="split")),
        {"records": records(turned)},
        {"split": split},
        {"columns": cells(turned), "explain": None, "top_k": None},
    ]
    answers = [service.post("/score", body) for body in bodies]
    assert {answer.status for answer in answers} == {200}
    assert all(answer.json == answers[0].json for answer in answers)


def test_one_record_is_one_row(service, rows):
    one = service.post("/score", records(rows)[0]).json
    assert one["predictions"] == service.post("/score", records(rows)).json["predictions"][:1]


def test_without_an_explanation_there_are_only_predictions(service, rows):
    full = service.post("/score", records(rows)).json
    less = service.post("/score", {"records": records(rows), "explain": False}).json
    assert "local_importance_values" not in less
    assert "reasons" not in less
    assert {key: full[key] for key in less} == less


def test_rows_in_blocks_are_the_rows_at_once(service, rows):
    many = records(rows) * 60  # more than two blocks
    answer = service.post("/score", {"records": many, "top_k": 0}).json
    once = service.post("/score", records(rows)).json
    assert answer["predictions"] == once["predictions"] * 60
    np.testing.assert_array_equal(
        answer["local_importance_values"], np.tile(once["local_importance_values"], (1, 60, 1))
    )


# --------------------------------------------------------------------------------------------------------------- reasons


def test_reasons_are_the_largest_values_of_the_predicted_class(service, rows):
    answer = service.post("/score", {"records": records(rows), "top_k": 2}).json
    assert "not causes" in answer["disclaimer"]
    for row, said in enumerate(answer["reasons"]):
        which = answer["classes"].index(answer["predictions"][row])
        values = np.array(answer["local_importance_values"][which][row])
        order = [j for j in np.argsort(-abs(values), kind="stable")[:2] if values[j]]
        assert [one["feature"] for one in said] == [answer["features"][j] for j in order]
        for one, j in zip(said, order, strict=True):
            assert one["contribution"] == values[j]
            assert one["direction"] == ("raises" if values[j] > 0 else "lowers")
            assert f"{one['direction']} the odds of {answer['predictions'][row]!r}" in one["text"]
            assert one["value"] == records(rows)[row][one["feature"]]


def test_reasons_of_a_regression_speak_of_the_prediction(service, rows):
    said = service.post("/score/prices", records(rows)).json["reasons"]
    assert all(" the prediction by " in one["text"] for row in said for one in row)
    assert all(len(row) <= 3 for row in said)


# ------------------------------------------------------------------------------------------------------ other routes


def test_the_other_routes_say_how_the_service_is(service):
    assert service.get("/livez").json == {"live": True}
    assert service.get("/readyz").json == {"ready": True}
    assert service.get("/ping").status == service.get("/health").status == 200
    assert service.get("/v2/health/ready").status == service.get("/v2/health/live").status == 200
    assert service.get("/v1/models").json == {"models": ["loans", "prices"]}
    assert service.get("/v1/models/prices").json == {"name": "prices", "ready": True}
    assert service.get("/v2").json["name"] == "automl-explain"
    assert service.get("/version").body


def test_metrics_count_requests_and_rows(service, rows):
    def count(text, start):
        found = [line for line in text.splitlines() if line.startswith(start)]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    start = 'automl_explain_rows_total{model="prices",protocol="kserve_predict"}'
    before = service.get("/metrics").body.decode()
    service.post("/v1/models/prices:predict", {"instances": records(rows)})
    after = service.get("/metrics").body.decode()
    assert count(after, start) - count(before, start) == len(rows)
    assert 'automl_explain_requests_total{route="/v1/models/{model}:predict",status="200"}' in after
    assert "automl_explain_ready 1.0" in after


def test_the_page_of_routes_needs_no_network(service):
    page = service.get("/docs").body.decode()
    for path in service.get("/openapi.json").json["paths"]:
        assert f"<code>{path}</code>" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "<script" not in page
