"""Permutation importance, bit for bit against scikit-learn's."""

import lightgbm
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer, log_loss, make_scorer, mean_squared_error
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier, XGBRegressor

from automl_explain import Explanation, FeatureMap, InvalidInputError, PFIExplainer, plot_global_importance
from automl_explain.explainers.permutation._permuted_trees import PermutedTrees

N = 150
LGBM = {"n_estimators": 15, "num_leaves": 7, "min_child_samples": 5, "verbose": -1, "n_jobs": 1}


def rows(missing=False):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, 6))
    X[:, 3] = rng.integers(0, 3, N)
    X[:, 5] = 1.0  # constant
    if missing:
        X[::7, 0] = np.nan
        X[::11, 3] = np.nan
    return X


def frame():
    table = pd.DataFrame(rows(), columns=list("abcdef"), index=np.arange(N)[::-1])
    table["d"] = pd.Categorical.from_codes(table["d"].astype(int), ["x", "y", "z"])
    return table


def labels(X, kind):
    X = np.nan_to_num(np.asarray(pd.DataFrame(X).apply(lambda c: c.cat.codes if c.dtype == "category" else c), float))
    score = X[:, 0] + X[:, 1] * X[:, 2] + (X[:, 3] == 1)
    return {"regression": score, "binary": (score > 0).astype(int), "multiclass": np.digitize(score, [-0.5, 0.8])}[kind]


# model, table, task, metrics, whether the trees' own sums are the library's
CASES = {
    "lgbm-binary": (lightgbm.LGBMClassifier(**LGBM), rows, "binary", (None, "roc_auc", "neg_log_loss"), True),
    "lgbm-multiclass": (lightgbm.LGBMClassifier(**LGBM), rows, "multiclass", (None, "neg_log_loss", "f1_macro"), True),
    "lgbm-missing": (lightgbm.LGBMRegressor(**LGBM), lambda: rows(True), "regression", ("r2", "neg_max_error"), True),
    "lgbm-frame": (lightgbm.LGBMClassifier(**LGBM), frame, "binary", ("accuracy", "neg_brier_score"), True),
    "lgbm-poisson": (lightgbm.LGBMRegressor(objective="tweedie", **LGBM), rows, "binary", (None,), True),
    "xgb-binary": (XGBClassifier(n_estimators=9, n_jobs=1), lambda: rows(True), "binary", (None, "neg_log_loss"), True),
    "xgb-multiclass": (XGBClassifier(n_estimators=5, n_jobs=1), rows, "multiclass", (None, "roc_auc_ovr"), True),
    "xgb-regression": (XGBRegressor(n_estimators=9, n_jobs=1), rows, "regression", (None, "neg_median_absolute_error"), True),
    "histgb": (HistGradientBoostingClassifier(max_iter=8), lambda: rows(True), "multiclass", ("neg_log_loss",), True),
    "histgb-regression": (HistGradientBoostingRegressor(max_iter=8), rows, "regression", (None,), True),
    "boosting": (GradientBoostingClassifier(n_estimators=8), rows, "binary", ("roc_auc", "average_precision"), True),
    "forest": (RandomForestClassifier(9, random_state=0), rows, "multiclass", (None, "neg_log_loss"), False),
    "extra-trees": (ExtraTreesRegressor(9, random_state=0), rows, "regression", (None,), False),
    "logistic": (LogisticRegression(), rows, "binary", (None, "neg_log_loss", "roc_auc"), False),
    "ridge-frame": (Ridge(), lambda: frame().drop(columns="d"), "regression", ("neg_root_mean_squared_error",), False),
    "knn": (KNeighborsRegressor(), rows, "regression", (None,), False),
    "svc": (SVC(), rows, "multiclass", ("balanced_accuracy",), False),
    "pipeline": (
        make_pipeline(
            ColumnTransformer([("n", StandardScaler(), list("abcef")), ("c", OneHotEncoder(), ["d"])]),
            lightgbm.LGBMClassifier(**LGBM),
        ), frame, "binary", (None, "neg_log_loss"), True,
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.filterwarnings("ignore:The y_pred values do not sum")
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_scikit_learn(case, weighted, monkeypatch):
    model, make, task, metrics, own_sums = CASES[case]
    X = make()
    y = labels(X, task)
    model.fit(X, y)
    walked = []
    respond = PermutedTrees.respond
    monkeypatch.setattr(PermutedTrees, "respond", lambda *a: walked.append(1) or respond(*a))
    weights = np.random.default_rng(0).random(N) if weighted else None
    for metric in metrics:
        if metric == "neg_max_error" and weighted:
            continue
        mine = PFIExplainer(model, metric=metric, random_state=5, n_repeats=4).explain_global(
            X, true_labels=y, sample_weight=weights
        )
        theirs = permutation_importance(
            model, X, y, scoring=metric, random_state=5, n_repeats=4, sample_weight=weights
        )  # fmt: skip
        np.testing.assert_array_equal(mine.importances, theirs.importances)
        np.testing.assert_array_equal(mine.global_importance_values, theirs.importances_mean)
        np.testing.assert_array_equal(mine.importances_std, theirs.importances_std)
        assert mine.importances[0].any(), "the first column matters"
    assert bool(walked) is own_sums


@pytest.mark.parametrize("make", [rows, frame], ids=["array", "frame"])
def test_the_number_of_copies_made_at_once_does_not_matter(make, monkeypatch):
    X, y = make(), labels(make(), "regression")
    for model in (lightgbm.LGBMRegressor(**LGBM).fit(X, y), ExtraTreesRegressor(5, random_state=0).fit(rows(), y)):
        X = rows() if isinstance(model, ExtraTreesRegressor) else X
        monkeypatch.undo()
        many = PFIExplainer(model).explain_global(X, y).importances
        for most in (1, 4 * N):
            monkeypatch.setattr("automl_explain.explainers.permutation._permuted_copies.STACKED_ROWS", most)
            np.testing.assert_array_equal(PFIExplainer(model).explain_global(X, y).importances, many)


def test_a_model_whose_predictions_depend_on_other_rows_is_asked_for_each_copy_alone():
    class Centred(Ridge):
        def predict(self, X):
            return super().predict(X - X.mean(axis=0))

    X, y = rows(), labels(rows(), "regression")
    model = Centred().fit(X, y)
    theirs = permutation_importance(model, X, y, random_state=0)
    np.testing.assert_array_equal(PFIExplainer(model).explain_global(X, y).importances, theirs.importances)


def test_only_rows_that_reach_other_leaves_are_predicted_again_by_a_forest(monkeypatch):
    X, y = rows(), labels(rows(), "binary")
    model = RandomForestClassifier(5, max_depth=1, random_state=0).fit(X, y)
    asked = []
    predict = RandomForestClassifier.predict_proba
    monkeypatch.setattr(
        RandomForestClassifier, "predict_proba", lambda self, A: asked.append(len(A)) or predict(self, A)
    )
    PFIExplainer(model, metric="neg_log_loss").explain_global(X, y)
    assert sum(asked) < 0.4 * (5 * 5 * N)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_tables_give_the_numbers_of_dense_ones(make):
    rng = np.random.default_rng(0)
    X = np.where(rng.random((N, 7)) < 0.3, rng.normal(size=(N, 7)), 0)
    X[:, 6] = 0
    y = (X[:, 0] + X[:, 4] > 0).astype(int)
    models = [LogisticRegression().fit(X, y), lightgbm.LGBMClassifier(**LGBM).fit(X, y)]
    for model in models[: 1 if make is sparse.csr_array else 2]:  # LightGBM itself takes no csr_array
        theirs = permutation_importance(model, X, y, scoring="neg_log_loss", random_state=2)
        mine = PFIExplainer(model, metric="neg_log_loss", random_state=2).explain_global(make(X), true_labels=y)
        np.testing.assert_allclose(mine.importances, theirs.importances, rtol=0, atol=1e-12)
        assert mine.get_ranked_global_names(2) == np.argsort(-theirs.importances_mean)[:2].tolist()
        assert mine.global_importance_values[6] == 0


def test_the_sign_of_an_error_metric_is_that_of_a_score():
    X, y = rows(), labels(rows(), "regression")
    model = Ridge().fit(X, y)
    wanted = permutation_importance(model, X, y, scoring="neg_mean_squared_error", random_state=0).importances

    def my_error(truth, predicted):
        return mean_squared_error(truth, predicted)

    for metric, is_error in [
        ("neg_mean_squared_error", None),
        (mean_squared_error, None),
        (mean_squared_error, True),
        (my_error, True),
        (make_scorer(my_error, greater_is_better=False), None),
        (lambda model, X, y: -my_error(y, model.predict(X)), None),
    ]:
        mine = PFIExplainer(model, metric=metric, is_error_metric=is_error).explain_global(X, true_labels=y)
        np.testing.assert_array_equal(mine.importances, wanted)
        assert mine.get_ranked_global_names()[0] == 0


def test_a_metric_of_probabilities_is_given_probabilities():
    X, y = rows(), labels(rows(), "multiclass")
    model = lightgbm.LGBMClassifier(**LGBM).fit(X, y)
    wanted = permutation_importance(model, X, y, scoring="neg_log_loss", random_state=0).importances
    np.testing.assert_array_equal(PFIExplainer(model, metric=log_loss).explain_global(X, y).importances, wanted)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_predict_function_and_a_booster_are_scored_as_their_estimator_is(task):
    X, y = rows(), labels(rows(), task)
    kind = lightgbm.LGBMRegressor if task == "regression" else lightgbm.LGBMClassifier
    model = kind(**LGBM).fit(X, y)
    function = model.predict if task == "regression" else model.predict_proba
    metrics = [None, "r2"] if task == "regression" else [None, "roc_auc", "neg_log_loss"]
    for metric in metrics:
        wanted = permutation_importance(model, X, y, scoring=metric, random_state=0).importances
        for other in (function, model.booster_):
            mine = PFIExplainer(other, metric=metric).explain_global(X, true_labels=y)
            np.testing.assert_allclose(mine.importances, wanted, rtol=0, atol=1e-12)


def test_columns_are_found_by_name_and_the_global_random_state_is_left_alone():
    X, y = frame(), labels(frame(), "binary")
    model = lightgbm.LGBMClassifier(**LGBM).fit(X, y)
    before = np.random.get_state()[1].copy()
    explainer = PFIExplainer(model, metric="accuracy", random_state=0)
    straight, turned = explainer.explain_global(X, y), explainer.explain_global(X[list("fedcba")], y)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert turned.features == straight.features == tuple("abcdef")
    np.testing.assert_array_equal(turned.importances, straight.importances)
    assert X.equals(frame())
    other = PFIExplainer(model, metric="accuracy", random_state=1).explain_global(X, y)
    assert not np.array_equal(other.importances, straight.importances)


def test_an_explanation_can_be_kept_and_drawn(tmp_path):
    X, y = frame(), labels(frame(), "binary")
    model = lightgbm.LGBMClassifier(**LGBM).fit(X, y)
    made = PFIExplainer(model, metric="roc_auc").explain_global(X, true_labels=y)
    made.save(tmp_path / "one")
    read = Explanation.load(tmp_path / "one")
    np.testing.assert_array_equal(read.importances, made.importances)
    assert (read.kind, read.metric, read.unit) == ("permutation", "roc_auc", "roc_auc")
    assert (read.method, read.output_space, read.expected_values) == ("permutation", "log_odds", made.expected_values)
    assert made.expected_values == [get_scorer("roc_auc")(model, X, y)]
    assert "decrease of roc_auc" in made._repr_html_()
    turned = made.get_raw_explanation(FeatureMap(tuple("FEDCBA"), np.arange(6)[::-1]))
    assert turned.get_ranked_global_names(4) == [name.upper() for name in made.get_ranked_global_names(4)]
    np.testing.assert_array_equal(turned.importances_std, made.importances_std[::-1])
    figure, ax = plt.subplots()
    plot_global_importance(read, ax=ax)
    lines = ax.collections[0].get_segments()
    best = np.argmax(made.global_importance_values)
    mean, std = made.global_importance_values[best], made.importances_std[best]
    np.testing.assert_allclose([lines[0][0][0], lines[0][1][0]], [mean - std, mean + std])
    plt.close(figure)


def test_labels_may_be_given_as_class_names():
    X, y = rows(), labels(rows(), "binary")
    model = LogisticRegression().fit(X, y)
    named = np.array(["bad", "good"])[y]
    mine = PFIExplainer(model, classes=["bad", "good"]).explain_global(X, true_labels=named)
    np.testing.assert_array_equal(mine.importances, PFIExplainer(model).explain_global(X, true_labels=y).importances)


@pytest.mark.parametrize(
    ("settings", "given", "words"),
    [
        ({}, {"true_labels": None}, "needs the true labels"),
        ({"metric": "roc_acu"}, {}, "Did you mean 'roc_auc'"),
        ({"metric": "zzzz"}, {}, "There are: .*accuracy"),
        ({"metric": ["roc_auc", "f1"]}, {}, "a scikit-learn scorer.* Got list"),
        ({"metric": lambda y, p: 0.0}, {}, "is_error_metric=True"),
        ({"metric": "r2", "is_error_metric": True}, {}, "leave it out"),
        ({"metric": mean_squared_error, "is_error_metric": False}, {}, "for which less is better"),
        ({"metric": lambda m, X, y: {"a": 1}}, {}, "one finite number"),
        ({}, {"true_labels": np.zeros(N - 1)}, "each of the 150 rows. Got shape"),
        ({}, {"true_labels": ["no"] * N}, r"classes \[0, 1\]. Got \['no'\]"),
        ({}, {"true_labels": [None, *[0] * (N - 1)]}, "Got 1 NaN"),
        ({}, {"sample_weight": np.ones(3)}, "each of the 150 rows"),
        ({}, {"sample_weight": -np.ones(N)}, "must not be negative"),
        ({"n_repeats": 0}, {}, "'n_repeats' parameter"),
        ({"random_state": "x"}, {}, "'random_state' parameter"),
        ({"classes": ["a", "b", "c"]}, {}, "must name 2 classes"),
        ({"features": ["a"]}, {}, "must name 6 features"),
        ({"metric": "neg_log_loss"}, {}, "cannot be computed for this model"),
    ],
)
def test_bad_input_is_one_error_that_says_what_to_do(settings, given, words):
    X, y = rows(), labels(rows(), "binary")
    model = (SVC() if settings.get("metric") == "neg_log_loss" else LogisticRegression()).fit(X, y)
    with pytest.raises(InvalidInputError, match=words):
        PFIExplainer(model, **settings).explain_global(X, **{"true_labels": y, **given})


def test_rows_have_no_permutation_importance():
    X, y = rows(), labels(rows(), "binary")
    with pytest.raises(InvalidInputError, match="explain_global"):
        PFIExplainer(LogisticRegression().fit(X, y)).explain_local(X)


def test_a_scorer_that_asks_about_other_rows_gets_the_model_s_own_answer():
    X, y = make_classification(N, random_state=0)
    model = LogisticRegression().fit(X, y)

    def halves(estimator, table, truth):
        return estimator.predict_proba(table[: N // 2])[:, 1].mean() + estimator.classes_[1]

    wanted = permutation_importance(model, X, y, scoring=halves, random_state=0).importances
    np.testing.assert_array_equal(PFIExplainer(model, metric=halves).explain_global(X, y).importances, wanted)


def test_class_names_that_are_labels_of_other_classes_make_true_labels_ambiguous():
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = (X[:, 0] > 0).astype(int)
    model = LogisticRegression().fit(X, y)
    with pytest.raises(
        InvalidInputError, match=r"ambiguous: \[0, 1\] are both the model's own classes and names of other"
    ):
        PFIExplainer(model, metric="accuracy", classes={0: 1, 1: 0}).explain_global(X, true_labels=y)
    named = PFIExplainer(model, metric="accuracy", classes={0: "no", 1: "yes"})
    expected = named.explain_global(X, true_labels=y).global_importance_values
    found = named.explain_global(X, true_labels=np.where(y == 1, "yes", "no")).global_importance_values
    np.testing.assert_array_equal(found, expected)
    same = PFIExplainer(model, metric="accuracy", classes=[0, 1]).explain_global(X, true_labels=y)
    np.testing.assert_array_equal(same.global_importance_values, expected)
