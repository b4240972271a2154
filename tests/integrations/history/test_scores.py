"""Scores from losses, and those that a search measures on its validation rows."""

import pytest
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score

from automl_explain import RunHistory
from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.history._run_scorers import copies_of
from automl_explain.integrations.history._scores import keep_scores, score_of
from tests.integrations.history.stored import trial


@pytest.mark.parametrize(
    ("metric", "loss", "score"),
    [
        ("r2", 0.673, 0.327),
        ("roc_auc", 0.2, 0.8),
        ("roc_auc_ovr", 0.2, 0.8),
        ("macro_f1", 0.25, 0.75),
        ("log_loss", 0.4, 0.4),
        ("rmse", 12.0, 12.0),
        ("root_mean_squared_error", 12.0, 12.0),
        ("-accuracy", -0.9, 0.9),
        ("my_metric", 3.0, None),
        ("apples", 3.0, None),
        ("r2", None, None),
    ],
)
def test_the_score_for_a_loss(metric, loss, score):
    assert score_of(metric, loss) == (None if score is None else pytest.approx(score))


def test_a_search_measures_its_best_and_its_final_model(tmp_path):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    automl = AutoML(model_explainability=True, history=tmp_path, explainability_options={"max_rows": 20})
    given = {"task": "regression", "max_iter": 2, "estimator_list": ["lgbm"], "verbose": 0, "seed": 0}
    automl.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:], **given)
    best = automl.best_run
    assert best.scores["R2"] == pytest.approx(best.score)
    assert best.score_text == f"R2 {best.score:.4g}"
    assert automl.final_run.scores["R2"] == pytest.approx(r2_score(y[300:], automl.predict(X[300:])))
    other = next(run for run in automl.runs if run.id not in (best.id, automl.final_run.id))
    assert other.scores == {}
    best.history.remove_search(best.search)
    assert not list((tmp_path / "scores").iterdir())


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff{", b"{", b"[" * 100_000])
def test_a_damaged_file_is_told_and_hides_nothing_else(content, tmp_path, caplog):
    history = RunHistory(tmp_path)
    history.add_runs(history.start_search("flaml", "binary", {}), [trial(0), trial(1)])
    run, other = history.runs()
    keep_scores(history, run.id, {"accuracy": 0.5})
    keep_scores(history, other.id, {"accuracy": 0.75})
    assert run.scores == {"accuracy": 0.5}
    assert copies_of(run) == []
    assert not caplog.records
    (tmp_path / "scores" / f"{run.id}.json").write_bytes(content)
    (tmp_path / "scoring").mkdir()
    (tmp_path / "scoring" / f"{run.id}.json").write_bytes(content)
    assert (run.scores, copies_of(run), other.scores) == ({}, [], {"accuracy": 0.75})
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith(f"validation scores of run {run.id} cannot be read from {tmp_path}")
    assert second.startswith(f"what is known of the scoring explainer of run {run.id} cannot be read")
