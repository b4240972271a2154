"""Runs are found by id, by its beginning, or not at all; then the message says what there is."""

import numpy as np
import pytest

from automl_explain import ExplanationNotFoundError, RunNotFoundError, explain_model, retrieve_model_explanation
from tests.integrations.history.stored import explanation, trial


def test_a_run_is_found_by_the_beginning_of_its_id(history, run):
    assert history.run(run.id[:6]) == run
    assert retrieve_model_explanation_status(history, run.id[:6]) == "captured"


def retrieve_model_explanation_status(history, run_id):
    with pytest.raises(ExplanationNotFoundError, match="its status is") as caught:
        retrieve_model_explanation(run_id, history=history)
    return str(caught.value).partition("its status is ")[2].partition(".")[0]


def test_a_beginning_that_several_runs_share_is_refused_with_their_ids(history):
    search = history.start_search("flaml", "binary", {})
    ids = history.add_runs(search, [trial(0), trial(1)])
    with pytest.raises(RunNotFoundError, match="2 runs begin with") as caught:
        history.run(search)
    assert all(run_id in str(caught.value) for run_id in ids)
    assert history.run(ids[0]).number == 0


def test_an_unknown_id_names_the_nearest(history, run):
    with pytest.raises(RunNotFoundError, match="Did you mean") as caught:
        history.run(run.id[:-1] + "7")
    assert run.id in str(caught.value)
    with pytest.raises(RunNotFoundError, match=f"The latest are {run.id}"):
        history.run("not-like-any")


def test_an_unknown_id_of_an_empty_history_says_so(history):
    with pytest.raises(RunNotFoundError, match="has no runs yet"):
        history.run("12345678-0000")


def test_an_unknown_search_is_refused(history):
    with pytest.raises(RunNotFoundError, match="no search 'nope'"):
        history.search("nope")


def test_storing_on_an_unknown_run_writes_nothing(history):
    with pytest.raises(RunNotFoundError):
        history.store("nope", explanation())
    assert list((history.directory / "explanations").iterdir()) == []


@pytest.mark.parametrize(
    ("status", "why"),
    [("skipped", "the time for explanations was over"), ("failed", "ValueError: no"), ("captured", "")],
)
def test_a_run_without_explanation_says_its_status_and_how_to_get_one(history, run, status, why):
    history.set_status(run.id, status, why)
    with pytest.raises(ExplanationNotFoundError) as caught:
        history.run(run.id).explanation  # noqa: B018
    message = str(caught.value)
    assert f"Run {run.id} has no explanation: its status is {status}" in message
    assert (f"({why})" in message) == bool(why)
    assert ("Runs are explained at the end of the search" in message) == (status == "captured")
    assert "model with explain_model(fitted_model, X_train, X_test, best_run=run)" in message
    assert "ExplainabilityOptions(time_budget=...)" in message


def test_explain_model_stores_on_a_run(history, run):
    from sklearn.linear_model import LinearRegression

    X = np.random.default_rng(0).normal(size=(20, 3))
    model = LinearRegression().fit(X, X @ [1.0, 2.0, 0.0])
    explained = explain_model(model, X, X[:4], best_run=run)
    assert explained.run_id == run.id
    found = retrieve_model_explanation(run.id, history=history)
    assert np.array_equal(found.shap_values, explained.shap_values)
    assert history.run(run.id).status == "explained"
