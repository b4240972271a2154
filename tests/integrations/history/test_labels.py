"""True labels that a search keeps on request: those of the rows explained, for models that were not fitted to them."""

import datetime as dt

import numpy as np
import optuna
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.tree import DecisionTreeClassifier

from automl_explain import HistoryError, InvalidInputError, RunHistory, explain_model, retrieve_model_explanation
from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.history._labels import keep_labels, labels_of
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.sklearn_search import ExplainingScorer
from tests.integrations.history.stored import explanation, trial

X, CODES = load_iris(return_X_y=True, as_frame=True)
X.index = [f"flower {j}" for j in range(len(X))]
Y = CODES.map(dict(enumerate(("setosa", "versicolor", "virginica")))).set_axis(X.index)
TRAIN, VALID = X.index[np.arange(150) % 3 > 0], X.index[::3]
KEEP = {"keep_labels": True, "max_rows": 20}


def stored(history):
    (run,) = history.add_runs(history.start_search("own", "binary", {}), [trial(0)])
    return history.store(run, explanation())


@pytest.mark.parametrize(
    "labels", [["a", "b"], [1, 2], [1.5, -2.0], [True, False], [dt.date(2024, 1, 31), dt.date(2024, 2, 1)]], ids=str
)
def test_labels_of_any_type_are_read_back(tmp_path, labels):
    history = RunHistory(tmp_path)
    one = stored(history)
    keep_labels(history, one, np.array(labels, dtype=object))
    assert labels_of(history, one).tolist() == labels
    assert labels_of(history, "another") is None
    assert labels_of(object(), "one") is None


def flaml(given, **options):
    automl = AutoML(model_explainability=True, explainability_options=options)
    valid = {"X_val": X.loc[VALID], "y_val": Y[VALID]} if given else {}
    automl.fit(
        X.loc[TRAIN] if given else X, Y[TRAIN] if given else Y, task="classification", max_iter=2, verbose=0,
        estimator_list=["lgbm"], eval_method="holdout", retrain_full=True, **valid,
    )  # fmt: skip
    return automl.best_run, automl.final_run


def of_optuna(**options):
    def objective(trial):
        with explainer.trial(trial) as seen:
            model = LGBMClassifier(n_estimators=trial.suggest_int("n", 2, 4), verbose=-1).fit(X.loc[TRAIN], Y[TRAIN])
            seen.capture(model)
            return model.score(X.loc[VALID], Y[VALID])

    study = optuna.create_study(direction="maximize")
    with TrialExplainer(X.loc[TRAIN], X.loc[VALID], y_valid=Y[VALID], explainability_options=options) as explainer:
        study.optimize(objective, n_trials=2)
    return explainer.best_run, None


def of_sklearn(n_splits, **options):
    scorer = ExplainingScorer("accuracy", X, explainability_options=options)
    folds = ShuffleSplit(n_splits, test_size=0.3, random_state=0)
    grid = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, scoring=scorer, cv=folds)
    scorer.explain(grid.fit(X, Y))
    return scorer.best_run, scorer.final_run


@pytest.mark.parametrize(
    "search",
    [
        lambda **options: flaml(True, **options),
        pytest.param(lambda **options: flaml(False, **options), marks=pytest.mark.slow),
        of_optuna,
        lambda **options: of_sklearn(1, **options),
    ],
    ids=["flaml, rows given", "flaml, rows drawn", "optuna", "scikit-learn"],
)
def test_labels_are_those_of_the_rows_explained(search):
    best, _ = search(**KEEP)
    explained = retrieve_model_explanation(best)
    rows = explained.explanation.data.data.index
    assert 15 <= len(rows) <= 20
    assert explained.true_labels.tolist() == Y[rows].tolist()
    assert explained.performance().confusion.to_numpy().sum() == len(rows)
    assert explained[:5].true_labels.tolist() == Y[rows[:5]].tolist()
    file = best.history.directory / "labels" / f"{best.history.explanations(best.id)[-1].id}.json"
    assert file.is_file()
    best.history.remove_search(best.search)
    assert not file.exists()


def test_none_are_kept_unasked_or_for_models_that_were_fitted_to_the_rows():
    best, _ = of_optuna(max_rows=20)
    assert best.true_labels is None
    with pytest.raises(InvalidInputError, match="let the search keep them with ExplainabilityOptions"):
        retrieve_model_explanation(best).performance()
    best, final = of_sklearn(3, **KEEP)
    assert (best.true_labels, final.true_labels) == (None, None)


@pytest.mark.slow
def test_none_are_kept_for_a_refit_to_all_rows_of_flaml():
    best, final = flaml(False, **KEEP)
    assert best.true_labels is not None
    assert final.kind == "trial" or final.true_labels is None


def test_labels_that_are_passed_are_kept_with_the_explanation_and_its_run():
    model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X.loc[TRAIN], Y[TRAIN])
    best, _ = of_optuna(max_rows=20)
    shuffled = Y.sample(frac=1, random_state=0)
    explained = explain_model(model, X.loc[TRAIN], X.loc[VALID], best_run=best, y_test=shuffled)
    assert explained.true_labels.tolist() == Y[VALID].tolist()
    again = retrieve_model_explanation(best)
    assert again.true_labels.tolist() == Y[VALID].tolist()
    assert again.performance().scores == explained.performance().scores
    assert "true class by predicted class" in again._repr_html_()
    explain_model(model, X.loc[TRAIN], X.loc[VALID[:4]], best_run=best)
    assert retrieve_model_explanation(best).true_labels is None  # of other rows
    with pytest.raises(InvalidInputError, match="'y' must have a label for each of the 4 rows"):
        explain_model(model, X.loc[TRAIN], X.loc[VALID[:4]], y_test=Y[VALID[:3]].to_numpy())
    with pytest.raises(InvalidInputError, match="y_test"):
        explain_model(model, ["a text"], ["a text"], y_test=["a"])


def test_a_frame_of_labels_is_none(tmp_path):
    labels = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    from automl_explain.explainers.tables._table import as_table

    assert as_table(X.iloc[:2]).with_labels(labels).labels is None
    assert as_table(X.iloc[:2]).with_labels(labels[["a"]]).labels.tolist() == [1, 2]


def test_labels_that_cannot_be_read_are_an_error_and_not_missing(tmp_path):
    history = RunHistory(tmp_path)
    one = stored(history)
    keep_labels(history, one, np.array(["a"], dtype=object))
    (tmp_path / "labels" / f"{one}.json").write_bytes(b'["a"')
    with pytest.raises(HistoryError, match=f"{one}.json cannot be read"):
        labels_of(history, one)
