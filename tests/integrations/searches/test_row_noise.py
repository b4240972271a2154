"""Losses of blocks of validation rows, by which the runs of a search without folds are compared."""

import logging

import numpy as np
import optuna
import pytest
from flaml.automl.ml import metric_loss_score
from sklearn.datasets import load_diabetes, make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, log_loss, mean_squared_error, roc_auc_score

from automl_explain import AutoMLConfig, Experiment, SearchExplanation
from automl_explain.analysis._near_best import within_noise
from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.searches._row_noise import BLOCKS, FEWEST_ROWS, block_losses, quick_loss
from automl_explain.integrations.searches.flaml._answers import MOST_BYTES, Answers, Listener

METRICS = {
    "log_loss": lambda y, p: log_loss(y, p, labels=[0, 1]),
    "roc_auc": lambda y, p: 1 - roc_auc_score(y, p),
    "f1": lambda y, p: 1 - f1_score(y, p > 0.5),
    "mse": mean_squared_error,
    "rmse": lambda y, p: mean_squared_error(y, p) ** 0.5,
}


def standard_error(gaps):
    """As `within_noise` has it."""
    return gaps.std(ddof=1) * np.sqrt(1 / len(gaps) + 1 / (len(gaps) - 1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy", "mae", "mse"])
def test_quick_losses_are_those_of_flaml(metric, dtype):
    rng = np.random.default_rng(3)
    numbers, labels = metric in ("mae", "mse"), [2, 5, 9] if metric == "log_loss" else [2, 5]
    truth = rng.normal(size=200) if numbers else rng.choice(labels, 200)
    predicted = {
        "log_loss": lambda: rng.multinomial(2, [1 / 3] * 3, 200) / 2,
        "accuracy": lambda: rng.choice(labels, 200),
    }.get(metric, lambda: np.round(rng.uniform(size=200), 1))()
    predicted = predicted.astype(dtype) if metric != "accuracy" else predicted
    loss = quick_loss(metric, truth, predicted, labels)
    for rows in (np.arange(200), rng.permutation(200)[:60]):
        expected = metric_loss_score(metric, predicted[rows], truth[rows], labels)
        assert loss(rows) == pytest.approx(expected, rel=1e-6)
    assert block_losses(loss, 200) == pytest.approx(block_losses(lambda rows: loss(rows), 200), rel=1e-9)


def test_a_block_that_has_all_rows_of_a_class_leaves_the_noise_unknown():
    truth = np.zeros(100, int)
    truth[7] = 1
    assert block_losses(quick_loss("roc_auc", truth, np.arange(100.0), [0, 1]), 100) == ()


def test_other_metrics_and_shapes_have_no_quick_loss():
    truth, shares = np.array([0, 1, 2]), np.full((3, 3), 1 / 3)
    assert quick_loss("ap", truth, shares[:, 0], [0, 1, 2]) is None
    assert quick_loss("roc_auc", truth, shares, [0, 1, 2]) is None
    assert quick_loss("log_loss", truth, shares, [0, 1]) is None


@pytest.mark.parametrize("metric", METRICS)
def test_the_noise_of_a_difference_is_that_of_the_bootstrap_over_rows(metric):
    X, y = make_classification(1200, 6, flip_y=0.2, random_state=0)
    models = [LogisticRegression().fit(X[:300, :k], y[:300]) for k in (2, 6)]
    predicted = [model.predict_proba(X[300:, :k])[:, 1] for model, k in zip(models, (2, 6), strict=True)]
    truth, loss = y[300:], METRICS[metric]
    parts = [block_losses(lambda rows, p=p: loss(truth[rows], p[rows]), 900) for p in predicted]
    gaps = np.subtract(*map(np.array, parts))
    assert gaps.mean() == pytest.approx(loss(truth, predicted[0]) - loss(truth, predicted[1]), rel=1e-9)
    rng, drawn = np.random.default_rng(0), []
    for _ in range(400):
        rows = rng.integers(900, size=900)
        drawn.append(loss(truth[rows], predicted[0][rows]) - loss(truth[rows], predicted[1][rows]))
    assert standard_error(gaps) == pytest.approx(np.std(drawn), rel=0.45)  # 20 blocks know a spread to about 16 %


def test_means_over_rows_have_the_standard_error_of_a_mean():
    losses = np.random.default_rng(0).normal(size=20 * BLOCKS)
    parts = np.array(block_losses(lambda rows: losses[rows].mean(), len(losses)))
    block = np.random.default_rng(0).permutation(len(losses)) % BLOCKS
    means = np.array([losses[block == number].mean() for number in range(BLOCKS)])
    assert standard_error(parts) == pytest.approx(means.std(ddof=1) / np.sqrt(BLOCKS), rel=1e-9)
    assert parts.mean() == pytest.approx(losses.mean(), rel=1e-9)


def test_nothing_is_said_of_few_rows_of_another_loss_and_of_losses_that_are_not_finite():
    losses = np.arange(100.0)
    assert block_losses(lambda rows: losses[rows].mean(), FEWEST_ROWS - 1) == ()
    assert block_losses(lambda rows: losses[rows].mean(), 100, 49.0) == ()
    assert len(block_losses(lambda rows: losses[rows].mean(), 100, 49.5)) == BLOCKS
    assert block_losses(lambda rows: np.inf, 100) == ()


def searched(**settings):
    X, y = make_classification(400, 5, flip_y=0.2, random_state=0)
    automl = AutoML(model_explainability=True, explainability_options={"max_rows": 20, "background": 20})
    automl.fit(
        X, y, task="classification", estimator_list=["lgbm", "rf"], max_iter=5, seed=1, verbose=0,
        **{"metric": "roc_auc", "X_val": X[300:], "y_val": y[300:], **settings},
    )  # fmt: skip
    return automl


def parts_of(runs):
    known = runs[0].history.part_losses(runs[0].search)
    return {run.id: np.array(known.get(run.id, ())) for run in runs if run.kind == "trial"}


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy", "macro_f1"])
@pytest.mark.parametrize("in_worker", [False, True])
def test_flaml_s_validation_rows_tell_which_runs_are_near_best(metric, in_worker, monkeypatch):
    monkeypatch.setattr("automl_explain.integrations.searches.flaml._tap.MetricTap._in_worker", in_worker)
    automl = searched(metric=metric)
    parts = parts_of(automl.runs)
    for run in automl.runs[: len(parts)]:
        assert len(parts[run.id]) == BLOCKS
        assert parts[run.id].mean() == pytest.approx(run.loss, rel=1e-9)
    taught = SearchExplanation.from_runs(automl)
    expected = within_noise([parts[run.id] for run in taught.runs], int(np.argmin(taught.losses)))
    assert taught.near_best.tolist() == expected.tolist()
    assert "one standard error, over folds or validation rows" in taught.sentences()[0]


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy"])
def test_the_predictions_by_which_flaml_scored_a_trial_are_not_asked_for_again(metric, monkeypatch):
    seen = []

    def compare(job, runs):
        for run in runs:
            if run.measure is not None:
                tap, (trial,) = run.measure.func.__self__, run.measure.args
                again = tap._scored.block_losses(trial.load()[0], tap.metric, tap._task, trial.loss)
                seen.append(bool(trial.answers))
                assert run.measure() == pytest.approx(again, rel=1e-12)
                run.release("compared")
                assert not trial.answers or trial.answers.nbytes <= MOST_BYTES
        return []

    monkeypatch.setattr("automl_explain.integrations.flaml.explain_runs", compare)
    searched(metric=metric)
    assert seen
    assert all(seen)


def test_flaml_s_folds_are_those_of_its_metric():
    seen = []

    def misses(X_val, y_val, estimator, labels, X_train, y_train, *others, **named):
        loss = float((estimator.predict(X_val) != y_val).mean())
        seen.append(loss)
        return loss, {}

    automl = searched(metric=misses, eval_method="cv", n_splits=3, X_val=None, y_val=None)
    parts = list(parts_of(automl.runs).values())
    np.testing.assert_array_equal(parts, np.reshape(seen, (-1, 3)))


def test_a_function_as_metric_says_nothing_of_noise_without_folds():
    def loss(X_val, y_val, estimator, *others, **named):
        return float((estimator.predict(X_val) != y_val).mean()), {}

    automl = searched(metric=loss)
    assert {len(losses) for losses in parts_of(automl.runs).values()} == {0}
    assert "The noise of the losses is not known" in SearchExplanation.from_runs(automl).sentences()[0]


@pytest.mark.parametrize("settings", [{}, {"metric": "log_loss"}, {"cv": 3}], ids=str)
def test_the_optuna_engine_keeps_the_losses_of_rows_or_none(settings, tmp_path):
    X, y = make_classification(400, 5, flip_y=0.2, random_state=0)
    config = AutoMLConfig(X=X, y=y, engine="optuna", estimators=["lgbm"], max_iter=3, history=tmp_path, **settings)
    runs = Experiment("noise").submit(config).runs
    for run in runs[:3]:
        losses = parts_of(runs)[run.id]
        assert len(losses) == (0 if settings.get("cv") else BLOCKS)
        assert not len(losses) or losses.mean() == pytest.approx(run.loss, rel=1e-9)


def studied(tmp_path, row_losses):
    X, y = load_diabetes(return_X_y=True)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def objective(trial):
        with explainer.trial(trial) as seen:
            model = Ridge(alpha=trial.suggest_float("alpha", 0.01, 10)).fit(X[:300], y[:300])
            squares = (model.predict(X[300:]) - y[300:]) ** 2
            seen.capture(model, X[300:], row_losses=row_losses(squares))
            return squares.mean()

    with TrialExplainer(X[:300], history=tmp_path) as explainer:
        study.optimize(objective, n_trials=4)
    return explainer.runs


def test_an_objective_s_losses_of_rows_tell_which_runs_are_near_best(tmp_path):
    runs = studied(tmp_path, lambda squares: squares)
    parts = parts_of(runs)
    assert [parts[run.id].mean() for run in runs] == pytest.approx([run.loss for run in runs])
    taught = SearchExplanation.from_runs(runs)
    expected = within_noise([parts[run.id] for run in taught.runs], int(np.argmin(taught.losses)))
    assert taught.near_best.tolist() == expected.tolist()
    assert "The noise of the losses is not known" not in taught.sentences()[0]


@pytest.mark.parametrize(
    "wrong", [lambda squares: "many", lambda squares: squares[:, None], lambda squares: squares / 0]
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_losses_of_rows_that_are_none_fail_the_run_with_the_reason(wrong, tmp_path):
    runs = studied(tmp_path, wrong)
    assert {run.status for run in runs} == {"failed"}
    assert "'row_losses' must be" in runs[0].why


def test_an_error_while_noise_is_measured_is_logged_and_the_run_is_explained(tmp_path, monkeypatch, caplog):
    def fails(*args):
        raise ValueError("only one class is present")

    monkeypatch.setattr("automl_explain.integrations.searches.optuna._trial.block_losses", fails)
    with caplog.at_level(logging.WARNING, logger="automl_explain"):
        runs = studied(tmp_path, lambda squares: squares)
    assert {run.status for run in runs} == {"explained"}
    assert "the noise of the loss of run" in caplog.text


def test_large_predictions_and_those_for_other_rows_are_not_kept():
    class Learner:
        name = "learner"

        def predict(self, rows, **settings):
            return np.zeros(len(rows))

    rows, answers = np.zeros((3, 1)), Answers()
    heard = Listener(Learner(), rows, answers)
    assert heard.name == "learner"
    heard.predict(np.zeros((2, 1)))
    heard.predict(rows, raw=True)
    assert not answers
    heard.predict(rows)
    assert answers.predict(rows).shape == (3,)
    large, kept = np.zeros((MOST_BYTES // 8 + 1, 1)), Answers()
    Listener(Learner(), large, kept).predict(large)
    assert not kept
