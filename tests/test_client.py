"""The explanation client: several explanations of a run, found by recency, id, comment and kind of columns."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from automl_explain import (
    ExplanationClient,
    ExplanationNotFoundError,
    InvalidInputError,
    PFIExplainer,
    RunHistory,
    RunNotFoundError,
    TabularExplainer,
    explain_model,
    retrieve_model_explanation,
)

TABLE = pd.DataFrame({"town": list("abc") * 20, "age": np.arange(60.0), "pay": np.arange(60.0) % 7})
MODEL = make_pipeline(
    ColumnTransformer([("town", OneHotEncoder(), ["town"])], remainder="passthrough"), Ridge(alpha=0.1)
).fit(TABLE, (TABLE["town"] == "a") * 30 + TABLE["age"] / 10 + TABLE["pay"])


def explained(n_rows, **settings):
    return explain_model(MODEL, TABLE, TABLE[:n_rows], **settings)


@pytest.fixture
def client():
    history = RunHistory()
    row = {"number": 0, "learner": "ridge", "config": {}, "loss": 0.5, "metric": "1-r2", "kind": "trial"}
    search = history.start_search("own", "regression", {})
    history.add_runs(search, [row | {"status": "captured", "why": "", "sample_size": None}])
    return ExplanationClient.from_run(f"{search}-0000")


def test_the_most_recent_comes_first_and_every_one_is_kept(client):
    first = client.upload_model_explanation(explained(5), comment="five")
    second = client.upload_model_explanation(explained(6).explanation, comment="six")
    third = client.upload_model_explanation(explained(7), comment="five")
    assert client.download_model_explanation().num_examples == 7
    assert client.download_model_explanation(comment="five").num_examples == 7
    assert client.download_model_explanation(comment="six").num_examples == 6
    assert client.download_model_explanation(first.id).num_examples == 5
    assert [one.id for one in client.list_model_explanations()] == [first.id, second.id, third.id]
    assert client.list_model_explanations("five") == [first, third]
    assert first.created <= second.created <= third.created
    assert retrieve_model_explanation(client.run.id).shap_values.shape[0] == 7
    assert client.run.history.run(client.run.id).status == "explained"


def test_another_process_s_client_sees_the_same_to_the_bit(client):
    stored = explained(5).explanation
    client.upload_model_explanation(stored)
    found = ExplanationClient.from_run(client.run.id, history=RunHistory()).download_model_explanation()
    assert found.local_importance_values.tobytes() == stored.local_importance_values.tobytes()


def test_raw_and_engineered(client):
    engineered = client.upload_model_explanation(explained(5))
    assert client.download_model_explanation(raw=True).features == ("town", "age", "pay")
    raw = client.upload_model_explanation(explained(6, feature_space="raw"))
    assert (engineered.is_raw, raw.is_raw) == (False, True)
    assert client.download_model_explanation(raw=True).num_examples == 6
    assert client.download_model_explanation(raw=False).num_examples == 5
    assert client.download_model_explanation().num_examples == 6
    assert client.download_model_explanation(engineered.id, raw=True).features == ("town", "age", "pay")
    with pytest.raises(ExplanationNotFoundError, match="engineered columns"):
        client.download_model_explanation(raw.id, raw=False)


@pytest.mark.parametrize("at", ["upload", "download"])
def test_top_k_keeps_the_most_important_features_and_says_so(client, at):
    whole = explained(5).explanation
    client.upload_model_explanation(whole, top_k=2 if at == "upload" else None)
    found = client.download_model_explanation(top_k=2 if at == "download" else None)
    assert found.get_ranked_global_names() == whole.get_ranked_global_names(2)
    np.testing.assert_array_equal(found.get_ranked_global_values(), whole.get_ranked_global_values(2))
    names = list(whole.features)
    columns = [names.index(name) for name in found.features]
    np.testing.assert_array_equal(found.local_importance_values, whole.local_importance_values[:, columns])
    np.testing.assert_array_equal(found.data.codes(), whole.data.codes()[:, columns])
    assert "features: 2 of 5, the most important" in found.notes[-1]
    assert found.additivity_error < 1e-9
    np.testing.assert_allclose(
        found.local_importance_values.sum(axis=-1) + found.left_out, whole.local_importance_values.sum(axis=-1)
    )
    with pytest.raises(InvalidInputError, match="top_k"):
        client.download_model_explanation(top_k=0)


def test_top_k_of_a_permutation_importance(client):
    whole = PFIExplainer(MODEL, n_repeats=4).explain_global(TABLE, true_labels=np.arange(60.0))
    client.upload_model_explanation(whole)
    found = client.download_model_explanation(top_k=1)
    (name,) = found.features
    np.testing.assert_array_equal(found.importances, whole.importances[[whole.features.index(name)]])
    assert found.global_importance_values[0] == whole.global_importance_values.max()


def test_what_is_not_found_is_answered_with_what_there_is(client):
    with pytest.raises(ExplanationNotFoundError, match="no explanation: its status is captured"):
        client.download_model_explanation()
    stored = client.upload_model_explanation(explained(5), comment="validation rows")
    with pytest.raises(
        ExplanationNotFoundError, match=f"comment 'validation row'.*Did you mean 'validation rows'.*{stored.id}"
    ):
        client.download_model_explanation(comment="validation row")
    with pytest.raises(ExplanationNotFoundError, match=f"id 'nope'.*There are: {stored.id} .*'validation rows'"):
        client.download_model_explanation("nope")
    assert client.list_model_explanations("other") == []
    with pytest.raises(RunNotFoundError):
        ExplanationClient.from_run("nope")
    with pytest.raises(InvalidInputError, match="takes a Run"):
        ExplanationClient("nope")


def test_the_sum_of_features_left_out_grows_by_those_that_top_k_leaves_out(client):
    X = TABLE[["age", "pay"]].assign(rest=np.sin(np.arange(60.0)))
    model = Ridge().fit(X, X["age"] + 3 * X["pay"] - X["rest"])
    client.upload_model_explanation(TabularExplainer(model, X, explain_subset=["pay", "age"]).explain_local(X[:5]))
    found = client.download_model_explanation(top_k=1)
    total = found.local_importance_values.sum(axis=-1) + found.left_out + found.expected_values
    assert found.num_features == 1
    np.testing.assert_allclose(total, model.predict(X[:5]), rtol=1e-9)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"explanation_id": 5}, "'explanation_id' parameter must be text. Got 5. There are: .*'five rows'"),
        ({"comment": 5}, "'comment' parameter must be text. Got 5. There are: .*'five rows'"),
        ({"top_k": "x"}, "'top_k' parameter must be an integer, 1 or more. Got 'x'"),
        ({"top_k": 1.5}, "'top_k' parameter must be an integer"),
        ({"top_k": True}, "'top_k' parameter must be an integer"),
        ({"raw": "yes"}, "'raw' parameter must be True or False, or None. Got 'yes'"),
    ],
)
def test_what_is_no_id_comment_or_number_is_refused_in_words(client, given, message):
    client.upload_model_explanation(explained(5), comment="five rows")
    with pytest.raises(InvalidInputError, match=message):
        client.download_model_explanation(**given)
    if "comment" in given:
        with pytest.raises(InvalidInputError, match="must be text"):
            client.list_model_explanations(**given)
    if "comment" in given or "top_k" in given:
        with pytest.raises(InvalidInputError, match=message.split(" There")[0]):
            client.upload_model_explanation(explained(5), **given)
        assert len(client.list_model_explanations()) == 1
