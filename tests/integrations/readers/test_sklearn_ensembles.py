"""Ensembles read by structure, against the same model asked for predictions alone."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from scipy import sparse
from scipy.special import logit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBRegressor

from automl_explain import InvalidInputError, KernelExplainer, TabularExplainer

X, Y = make_regression(400, 5, noise=5.0, random_state=0)
LABELS = {n: make_classification(600, 5, n_informative=4, n_redundant=0, n_classes=n, random_state=1) for n in (2, 3)}


def held_against_predictions(model, predict, table, **settings):
    background, rows = table[50:62], table[:3]
    read = TabularExplainer(model, background, **settings).explain_local(rows)
    asked = TabularExplainer(predict, background).explain_local(rows)
    np.testing.assert_allclose(read.local_importance_values, asked.local_importance_values, atol=1e-9)
    np.testing.assert_allclose(read.predictions, asked.predictions, atol=1e-9)
    return read


def test_a_final_estimator_behind_a_preprocessing_of_its_own():
    members = [("r", Ridge()), ("l", LinearRegression())]
    model = StackingRegressor(members, make_pipeline(StandardScaler(), RidgeCV()), cv=2).fit(X, Y)
    held_against_predictions(model, model.predict, X)


def test_the_scores_of_a_stack_are_those_of_its_own_final_estimator():
    data, labels = LABELS[2]
    final = make_pipeline(StandardScaler(), LogisticRegression())
    model = StackingClassifier([("l", LogisticRegression()), ("b", GaussianNB())], final, cv=2).fit(data, labels)

    def scores(table):
        probability = logit(model.predict_proba(table)[:, 1])
        return np.column_stack([-probability, probability])

    read = TabularExplainer(model, data[50:62], output="log_odds").explain_local(data[:3])
    np.testing.assert_allclose(read.predictions, scores(data[:3]), atol=1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_outputs_of_members_that_lie_on_a_threshold_fall_on_the_side_of_their_library(seed):
    data, labels = make_classification(1000, 5, n_informative=4, n_redundant=0, flip_y=0.2, random_state=seed)
    members = [("r", RandomForestClassifier(random_state=0)), ("e", ExtraTreesClassifier(random_state=0))]
    model = StackingClassifier(members, LGBMClassifier(n_estimators=50, verbose=-1, n_jobs=1), cv=3).fit(data, labels)
    held_against_predictions(model, model.predict_proba, data)


def test_a_final_estimator_that_was_trained_on_the_very_outputs():
    data, target = make_regression(2000, 5, noise=5.0, random_state=0)
    members = [("a", Ridge().fit(data, target)), ("b", LinearRegression().fit(data[:100], target[:100]))]
    model = StackingRegressor(members, HistGradientBoostingRegressor(max_iter=10), cv="prefit").fit(data, target)
    held_against_predictions(model, model.predict, data)
    shares = TabularExplainer(model, data[50:62]).explain_members(data[:3])
    assert shares.additivity_error < 1e-9


@pytest.mark.parametrize("member", [BaggingClassifier(LogisticRegression(), 2), AdaBoostClassifier(n_estimators=5)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_calibration_of_decision_values_that_are_no_log_odds(member, n_classes):
    data, labels = LABELS[n_classes]
    model = CalibratedClassifierCV(member, cv=2).fit(data, labels)
    held_against_predictions(model, model.predict_proba, data)


def test_one_versus_rest_where_no_class_claims_a_row():
    data, labels = LABELS[3]
    model = OneVsRestClassifier(DecisionTreeClassifier(random_state=0)).fit(data[:300], labels[:300])
    assert (model.predict_proba(data[300:]).sum(axis=1) == 0).any()
    held_against_predictions(model, model.predict_proba, data[300:])


def test_what_is_not_stored_stays_missing_beside_the_members_outputs():
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((500, 5)) < 0.5, 0.0, rng.normal(size=(500, 5)) + 1.0)
    target = dense @ [3.0, -2.0, 1.0, 0.5, 4.0] + 5.0 * (dense[:, 0] == 0)
    rows = sparse.csr_matrix(dense)
    final = XGBRegressor(n_estimators=20, max_depth=3, n_jobs=1)
    model = StackingRegressor([("r", Ridge())], final, cv=2, passthrough=True).fit(rows, target)
    read = TabularExplainer(model, rows[50:62]).explain_local(rows[:3])
    asked = TabularExplainer(lambda t: model.predict(sparse.csr_matrix(t)), rows[50:62]).explain_local(rows[:3])
    np.testing.assert_allclose(read.local_importance_values, asked.local_importance_values, atol=1e-4)


@pytest.mark.parametrize("n_jobs", [0, -2, "a", True, 1.5])
def test_a_number_of_threads_that_is_none_is_refused(n_jobs):
    data, labels = LABELS[2]
    model = StackingClassifier([("l", LogisticRegression()), ("b", GaussianNB())], cv=2).fit(data, labels)
    with pytest.raises(InvalidInputError, match="'n_jobs' parameter must be None or at least 1"):
        TabularExplainer(model, data[:20], n_jobs=n_jobs)


def test_boosters_with_linear_models_in_their_leaves_are_explained_from_predictions():
    booster = LGBMRegressor(n_estimators=5, linear_tree=True, verbose=-1, n_jobs=1)
    for model in (
        booster,
        StackingRegressor([("r", Ridge()), ("l", LinearRegression())], booster, passthrough=True, cv=2),
    ):
        read = held_against_predictions(model.fit(X, Y), model.predict, X)
        assert read.additivity_error < 1e-9


@pytest.mark.parametrize(
    "final", [LogisticRegression(max_iter=2000), DecisionTreeClassifier(max_depth=4, random_state=0)]
)
@pytest.mark.parametrize("output", ["auto", "probability"])
def test_stacks_of_members_that_know_other_classes(final, output):
    data, three = LABELS[3]
    two, known = (three > 0).astype(int), three != 2
    by_three = RandomForestClassifier(6, max_depth=4, random_state=0).fit(data, three)
    by_two = LogisticRegression().fit(data[known], three[known])
    for labels in (three, two):
        model = StackingClassifier([("three", by_three), ("two", by_two)], final, cv="prefit").fit(data, labels)
        read = TabularExplainer(model, data[50:62], output=output).explain_local(data[:3])
        assert read.additivity_error < 1e-9
        if read.output_space == "probability":
            asked = TabularExplainer(model.predict_proba, data[50:62]).explain_local(data[:3])
            np.testing.assert_allclose(read.local_importance_values, asked.local_importance_values, atol=1e-9)


class Exponential(SVR):
    def predict(self, X):
        return np.exp(super().predict(X))


class Doubled(LinearRegression):
    def predict(self, X):
        return 2.0 * super().predict(X)


@pytest.mark.parametrize("model", [Exponential(), Doubled(), VotingRegressor([("e", Exponential()), ("r", Ridge())])])
def test_subclasses_with_outputs_of_their_own_are_not_read_as_their_base_class(model):
    held_against_predictions(model.fit(X, Y / 100), model.predict, X)


def test_one_versus_rest_with_a_constant_label_is_a_black_box():
    data, labels = LABELS[3]
    with pytest.warns(UserWarning, match="Label"):
        constant = OneVsRestClassifier(LogisticRegression()).fit(data, np.eye(3)[labels][:, [0, 1, 1]] * [1, 0, 1])
    explained = TabularExplainer(constant, data[:10]).explain_local(data[10:13])
    made = explained.local_importance_values.sum(axis=2).T + explained.expected_values
    np.testing.assert_allclose(made, constant.predict_proba(data[10:13]), atol=1e-9)


def test_a_function_that_predicts_labels_is_refused_in_words():
    data, labels = LABELS[2]
    model = LogisticRegression().fit(data, np.array(["no", "yes"])[labels])
    with pytest.raises(InvalidInputError, match=r"must return numbers. Got \['(no|yes)'\].*predict_proba"):
        KernelExplainer(model.predict, data[:10])
