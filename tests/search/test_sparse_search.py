"""Configurations of sparse rows: searched as they are, with either engine, or refused with a reason."""

import numpy as np
import pytest
from scipy import sparse

from automl_explain import AutoMLConfig, Experiment, InvalidInputError, SearchExplanation, explain_model

X = sparse.random(160, 9, 0.3, format="csr", random_state=0)
SCORE = X[:, [0]].toarray().ravel() * 3 - X[:, [1]].toarray().ravel()
HIGH = np.where(np.median(SCORE) < SCORE, "high", "low")
FORMATS = [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array]


def search(engine, y, rows=X, **settings):
    asked = {"time_budget": 120, "max_iter": 5, "explainability_options": {"time_budget": 600}}
    if engine == "flaml":
        asked |= {"estimators": ["lgbm", "rf"]}
    return Experiment("sparse").submit(AutoMLConfig(X=rows, y=y, engine=engine, **{**asked, **settings}))


@pytest.mark.filterwarnings("ignore:FLAML built no ensemble")  # few trials may all be of one learner
@pytest.mark.parametrize("how", [{}, {"cv": 2}, pytest.param({"ensemble": True}, marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("engine", ["flaml", "optuna"])
def test_every_run_of_sparse_rows_is_explained(engine, task, how):
    y = SCORE if task == "regression" else HIGH if engine == "optuna" else (HIGH == "low").astype(int)
    run = search(engine, y, **how)
    _, model = run.get_output()
    assert sparse.issparse(run.config.dataset.X_train)
    assert {one.status for one in run.runs} == {"explained"}
    explained = explain_model(model, X[:40], X[40:46])
    space = explained.output_space
    outputs = model.predict(X[40:46])[:, None] if task == "regression" else model.predict_proba(X[40:46])
    shown = explained.explanation.predictions
    expected = np.log(outputs) - np.log(outputs[:, ::-1]) if space == "log_odds" else outputs
    np.testing.assert_allclose(shown, expected, rtol=1e-4, atol=1e-5)
    assert explained.additivity_error < 1e-3
    values = explained.explanation.local_importance_values
    assert np.abs(values).reshape(-1, 9).sum(axis=0).argmax() in (0, 1)
    if engine == "optuna":
        assert set(SearchExplanation.from_runs(run.runs).features) == {f"x{j}" for j in range(9)}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.__name__)
def test_formats_and_given_validation_rows(form):
    rows, valid = form(X[:120]), form(X[120:])
    run = search("optuna", SCORE[:120], rows, X_valid=valid, y_valid=SCORE[120:], estimators=["ridge"], max_iter=2)
    assert run.config.said[-1] == "validation: 40 rows that were given"
    assert run.get_output()[0].explanation.num_examples == 40
    np.testing.assert_array_equal(run.config.dataset.X_valid.toarray(), X[120:].toarray())


MISSING = X.copy()
MISSING.data[3] = np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": MISSING}, "A sparse X must have finite numbers. 1 are NaN or infinite"),
        ({"X_valid": X.toarray(), "y_valid": SCORE}, "both be sparse or both dense.*Got sparse .160, 9. and dense"),
        ({"X_valid": X[:, :8], "y_valid": SCORE}, "equally many columns"),
        ({"y": SCORE[:9]}, "y must have a value for each row: 160. Got 9"),
        ({"X": X.astype(complex)}, "a sparse matrix of numbers"),
        (
            {"y": HIGH, "engine": "flaml"},
            "With sparse rows, FLAML takes only the labels 0, 1, ... Got .'high', 'low'.",
        ),
    ],
)
def test_sparse_rows_that_cannot_be_searched_are_refused(change, message):
    with pytest.raises(InvalidInputError, match=message):
        AutoMLConfig(**{"X": X, "y": SCORE, "engine": "optuna", **change})
