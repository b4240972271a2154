"""Member contributions, against the members themselves and against independently computed games."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from scipy.special import logit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from automl_explain import (
    InvalidInputError,
    KernelExplainer,
    SamplingOptions,
    TabularExplainer,
    TreeExplainer,
    UnsupportedModelError,
)
from tests.families import FAMILIES, FOREST, LGBMC, LGBMR, RF, _pipe, table, target
from tests.oracles import model_game, shapley_values

ENSEMBLES = [
    family for family in FAMILIES if family.name.startswith(("vote", "stack", "bagged", "calibrated", "nested"))
]
OTHER_SPACE = [family for family in ENSEMBLES if family.task != "regression"]


def fitted(family):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return family.fitted()


def take(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def two_sided(margin):
    return np.column_stack([-margin, margin]) if margin.ndim == 1 else margin


def outputs_of(estimator, X):
    return (
        estimator.predict_proba(X) if hasattr(estimator, "predict_proba") else np.asarray(estimator.predict(X))[:, None]
    )


def columns_of(estimator, how, X):
    """Return the columns that scikit-learn passes from one member to a stack's final estimator."""
    found = np.asarray(getattr(estimator, how)(X))
    if found.ndim == 1:
        return found[:, None]
    return found[:, 1:] if found.shape[1] == 2 else found


def parts_of(model):
    """Return, by name, functions for the members' parts of a weighted sum, from scikit-learn's own methods."""
    if isinstance(model, VotingClassifier | VotingRegressor):
        weights = np.asarray(model.weights or [1.0] * len(model.estimators_), float)
        return {
            name: lambda X, e=estimator, w=weight: w * outputs_of(e, X)
            for (name, _), estimator, weight in zip(
                model.estimators, model.estimators_, weights / weights.sum(), strict=True
            )
        }
    if isinstance(model, BaggingClassifier | BaggingRegressor):
        return {
            f"member {i}": lambda X, e=estimator, c=columns: outputs_of(e, X[:, c]) / len(model.estimators_)
            for i, (estimator, columns) in enumerate(zip(model.estimators_, model.estimators_features_, strict=True))
        }
    if isinstance(model, CalibratedClassifierCV):
        n = len(model.calibrated_classifiers_)
        return {f"fold {i}": lambda X, c=c: c.predict_proba(X) / n for i, c in enumerate(model.calibrated_classifiers_)}
    coef, start, parts = np.atleast_2d(model.final_estimator_.coef_), 0, {}
    if hasattr(model, "classes_") and len(coef) == 1:
        coef = np.vstack([-coef, coef])
    names = [name for name, estimator in model.estimators if estimator != "drop"]
    for name, estimator, how in zip(names, model.estimators_, model.stack_method_, strict=True):
        width = columns_of(
            estimator, how, np.zeros((1, 5)) if not hasattr(model, "feature_names_in_") else EXAMPLE
        ).shape[1]
        block = coef[:, start : start + width]
        parts[name] = lambda X, e=estimator, h=how, b=block: columns_of(e, h, X) @ b.T
        start += width
    if model.passthrough:
        parts["passthrough"] = lambda X: np.asarray(X, float) @ coef[:, start:].T
    return parts


EXAMPLE = table("frame").iloc[:1]


@pytest.mark.parametrize("family", ENSEMBLES, ids=lambda family: family.name)
def test_members_add_up_to_the_prediction_and_shares_to_the_values(family):
    model, X = fitted(family)
    rows = take(X, slice(0, 6))
    for output in ("auto", "probability", "log_odds") if family.task != "regression" else ("auto",):
        explainer = TabularExplainer(model, take(X, slice(0, 60)), output=output)
        explained, shares = explainer.explain_local(rows), explainer.explain_members(rows)
        assert shares.output_space == explained.output_space
        total = np.atleast_2d(shares.local_member_values.sum(axis=0)).T + shares.expected_values
        np.testing.assert_allclose(total, explained.predictions, atol=1e-9)
        np.testing.assert_allclose(shares.expected_values, explained.expected_values, atol=1e-12)
        if shares.local_importance_values is None:
            assert "players" in shares.reason
            continue
        assert "weighted sum" in shares.reason
        values = shares.local_importance_values
        np.testing.assert_allclose(values.sum(axis=0), explained.local_importance_values, atol=1e-9)
        np.testing.assert_allclose(values.sum(axis=-1), shares.local_member_values, atol=1e-12)
        importance = shares.global_importance_values.sum(axis=0)
        np.testing.assert_allclose(importance, explained.global_importance_values, atol=1e-9)


@pytest.mark.parametrize("family", ENSEMBLES, ids=lambda family: family.name)
def test_each_share_is_the_shapley_value_of_that_member_on_its_own(family):
    model, X = fitted(family)
    background, row = take(X, slice(0, 12)), take(X, slice(50, 51))
    sums = {"vote-soft-boosters", "stack-soft-vote-binary", "stack-logistic-any", "bagged-logistic"}
    linear = family.method == "mixture" or family.name in sums or family.name.startswith("calibrated")
    output = "log_odds" if family.name == "stack-logistic-any" else "auto"
    shares = TabularExplainer(model, background, output=output).explain_members(row)
    if not linear:
        assert shares.local_importance_values is None
        return
    expected = parts_of(model)
    assert shares.members == tuple(expected)
    for m, part in enumerate(expected.values()):
        values = shares.local_importance_values[m].reshape(-1, 5)
        np.testing.assert_allclose(values, shapley_values(model_game(part, row, background), 5), atol=1e-9)
        np.testing.assert_allclose(shares.member_expected_values[m], part(background).mean(axis=0), atol=1e-9)


def meta_game(model, predict, row, background, blocks):
    """Return the game whose players are blocks of the columns that a stack's final estimator reads."""
    mine, theirs = model.transform(row), model.transform(background)

    def game(present):
        mixed = theirs.copy()
        for player in present:
            mixed[:, blocks[player]] = mine[:, blocks[player]]
        return predict(mixed).mean(axis=0)

    return game


@pytest.mark.parametrize("passthrough", [True, False])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("final", [LGBMC, LogisticRegression(max_iter=5000)], ids=["trees", "logistic"])
def test_members_of_a_stack_that_is_no_weighted_sum_are_players(final, task, passthrough):
    X = table()
    stack = StackingClassifier([("a", LGBMC), ("b", RF)], final, cv=3, passthrough=passthrough)
    model = stack.fit(X, target(X, task))
    background, row = X[:12], X[50:51]
    shares = TabularExplainer(model, background, output="probability").explain_members(row)
    width = 1 if task == "binary" else 3
    blocks = [slice(0, width), slice(width, 2 * width)] + [slice(2 * width, None)] * passthrough
    game = meta_game(model, model.final_estimator_.predict_proba, row, background, blocks)
    assert shares.members == ("a", "b", *["passthrough"] * passthrough)
    np.testing.assert_allclose(shares.local_member_values[..., 0].T, shapley_values(game, len(blocks)), atol=1e-9)
    assert shares.local_importance_values is None
    assert shares.standard_errors is None
    assert ("output='log_odds'" in shares.reason) == (final is not LGBMC)


def test_members_of_a_vote_in_log_odds_are_players():
    X = table()
    model = VotingClassifier([("a", LGBMC), ("b", RF)], voting="soft", weights=[1, 3]).fit(X, target(X, "multiclass"))
    background, row = X[:12], X[50:51]
    mine = [estimator.predict_proba(row) for estimator in model.estimators_]
    theirs = [estimator.predict_proba(background) for estimator in model.estimators_]

    def game(present):
        a, b = (mine[m] if m in present else theirs[m] for m in range(2))
        mean = (np.asarray(a) + 3 * np.asarray(b)) / 4
        return logit(np.clip(mean, 1e-12, 1 - 1e-12)).mean(axis=0)

    shares = TabularExplainer(model, background, output="log_odds").explain_members(row)
    np.testing.assert_allclose(shares.local_member_values[..., 0].T, shapley_values(game, 2), atol=1e-9)
    assert "output='probability'" in shares.reason


def test_many_members_of_a_function_are_sampled_with_standard_errors():
    X = table()
    members = [(f"m{i}", KNeighborsRegressor(1 + i)) for i in range(16)]
    model = TransformedTargetRegressor(VotingRegressor(members), func=np.arcsinh, inverse_func=np.sinh)
    shares = TabularExplainer(model.fit(X, target(X, "regression")), X[:20]).explain_members(X[:2])
    assert shares.members == tuple(name for name, _ in members)
    assert shares.standard_errors.shape == shares.local_member_values.shape == (16, 2)
    assert shares.additivity_error < 1e-9
    assert shares.local_importance_values is None


@pytest.mark.parametrize("summarised", [True, False])
def test_shares_of_sampled_values_come_from_the_same_coalitions(summarised):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 20))
    y = X[:, 0] * X[:, 1] + X[:, 2] > 0
    model = VotingClassifier([("a", LGBMC), ("b", LogisticRegression())], voting="soft").fit(X, y)
    background = X if summarised else X[:90]
    explainer = TabularExplainer(model, background, sampling=SamplingOptions(nsamples=200))
    explained, shares = explainer.explain_local(X[:3]), explainer.explain_members(X[:3])
    assert explained.standard_errors is not None
    assert shares.standard_errors.shape == (2, 2, 3, 20)
    np.testing.assert_allclose(shares.local_importance_values.sum(axis=0), explained.local_importance_values, atol=1e-9)
    assert shares.notes == explained.notes
    assert len(shares.notes) == summarised


@pytest.mark.parametrize("space", ["raw", "engineered"])
@pytest.mark.parametrize("output", ["log_odds", "probability"])
def test_a_stack_behind_preprocessing(space, output):
    X = table("mixed")
    stack = StackingClassifier([("lgbm", LGBMC), ("rf", RF)], LogisticRegression(), cv=3)
    model = _pipe(stack).fit(X, target(X, "binary"))
    explainer = TabularExplainer(model, X[:30], feature_space=space, output=output)
    explained, shares = explainer.explain_local(X[:4]), explainer.explain_members(X[:4])
    assert shares.features == explained.features
    assert shares.is_raw == explained.is_raw
    if output == "log_odds":
        summed = shares.local_importance_values.sum(axis=0)
        np.testing.assert_allclose(summed, explained.local_importance_values, atol=1e-9)
        one = shares.get_member_explanation("rf")
        assert one.get_raw_explanation().features == tuple(X)


def test_ensembles_within_a_single_function_are_seen_through():
    X = table()
    y = target(X, "regression")
    vote = VotingRegressor([("a", LGBMR), ("b", Ridge())])
    inner = StackingRegressor([("vote", vote)], LinearRegression(), cv=3).fit(X, y)
    explainer = TabularExplainer(inner, X[:20])
    shares = explainer.explain_members(X[:4])
    assert shares.members == ("a", "b")
    values = explainer.explain_local(X[:4]).local_importance_values
    np.testing.assert_allclose(shares.local_importance_values.sum(axis=0), values, atol=1e-9)
    coef = inner.final_estimator_.coef_[0]
    ridge = inner.estimators_[0].estimators_[1]
    expected = coef / 2 * ridge.coef_ * (X[:4] - X[:20].mean(axis=0))
    np.testing.assert_allclose(shares.local_importance_values[1], expected, atol=1e-9)

    labels = target(X, "binary")
    soft = VotingClassifier([("a", LGBMC), ("b", RF)], voting="soft").fit(X, labels)
    calibrated = CalibratedClassifierCV(FrozenEstimator(soft), method="isotonic").fit(X, labels)
    seen = TabularExplainer(calibrated, X[:20]).explain_members(X[:4])
    assert seen.members == ("a", "b")
    assert seen.local_importance_values is None
    assert seen.additivity_error < 1e-9


def test_a_scaled_target_s_vote_is_split_in_the_unit_of_the_target():
    X = table()
    y = 100 + 30 * target(X, "regression")
    vote = VotingRegressor([("a", LGBMR), ("b", Ridge())])
    model = TransformedTargetRegressor(vote, transformer=StandardScaler()).fit(X, y)
    shares = TabularExplainer(model, X[:20]).explain_members(X[:4])
    assert shares.members == ("a", "b")
    ridge = model.regressor_.estimators_[1]
    expected = model.transformer_.scale_[0] / 2 * ridge.coef_ * (X[:4] - X[:20].mean(axis=0))
    np.testing.assert_allclose(shares.local_importance_values[1], expected, atol=1e-9)
    np.testing.assert_allclose(shares.predictions[:, 0], model.predict(X[:4]), atol=1e-9)


def test_a_kernel_explainer_splits_as_well():
    X = table()
    model = VotingRegressor([("a", LGBMR), ("b", Ridge())]).fit(X, target(X, "regression"))
    exact = TabularExplainer(model, X[:20]).explain_members(X[:3])
    asked = KernelExplainer(model, X[:20]).explain_members(X[:3])
    np.testing.assert_allclose(asked.local_importance_values, exact.local_importance_values, atol=1e-9)


@pytest.fixture(scope="module")
def shares():
    X = table("frame")
    model = VotingClassifier([("lgbm", LGBMC), ("rf", RF), ("linear", LogisticRegression())], voting="soft")
    return TabularExplainer(model.fit(X, target(X, "binary")), X[:20]).explain_members(X[:7])


class TestMemberExplanation:
    def test_a_member_is_an_explanation_of_its_part(self, shares):
        one = shares.get_member_explanation("rf")
        assert one.additivity_error < 1e-9
        assert one.features == ("age", "income", "debt", "score", "visits")
        assert np.array_equal(one.local_importance_values, shares.local_importance_values[1])
        assert one.data.data.equals(table("frame")[:7])

    def test_rankings_and_tables(self, shares):
        importance = shares.get_member_importance_dict()
        assert list(importance.values()) == sorted(importance.values(), reverse=True)
        np.testing.assert_allclose(importance["rf"], np.abs(shares.local_member_values[1]).mean())
        frame = shares.to_frame()
        assert list(frame.columns) == ["lgbm", "rf", "linear"]
        sums = frame.sum(axis=1).to_numpy()
        assert (np.diff(sums) <= 0).all()
        assert frame.loc["debt", "rf"] == shares.global_importance_values[1, 2]
        assert repr(shares) == "MemberExplanation(3 members x 7 rows, 5 features, probability)"

    def test_rows(self, shares):
        some = shares[[1, 4]]
        assert some.num_examples == 2
        assert some.additivity_error < 1e-9
        assert np.array_equal(some.local_importance_values[..., 1, :], shares.local_importance_values[..., 4, :])
        assert len(some.data) == 2

    def test_notebooks_show_both_tables_escaped(self, shares):
        page = shares._repr_html_()
        assert page.count("<table>") == 2
        assert "mean |contribution| (probability)" in page
        renamed = replace(shares, members=("<b>", "b", "c"), features=tuple("<vwxy"))
        assert "<b>" not in renamed._repr_html_()
        whole = replace(shares, local_importance_values=None, member_expected_values=None)
        assert whole._repr_html_().count("<table>") == 1
        assert list(whole.to_frame().columns) == ["importance"]

    def test_wrong_names_and_missing_splits_are_said(self, shares):
        with pytest.raises(
            InvalidInputError, match=r"must be one of \['lgbm', 'rf', 'linear'\]\. Got 'lgb'\. Did you mean"
        ):
            shares.get_member_explanation("lgb")
        whole = replace(shares, local_importance_values=None, member_expected_values=None)
        with pytest.raises(InvalidInputError, match="not split among the members"):
            whole.get_member_explanation("rf")
        with pytest.raises(InvalidInputError, match="not split among the members"):
            whole.global_importance_values  # noqa: B018

    def test_a_subset_keeps_the_shares_of_its_features(self, shares):
        X = table("frame")
        model = VotingClassifier([("lgbm", LGBMC), ("rf", RF), ("linear", LogisticRegression())], voting="soft")
        model.fit(X, target(X, "binary"))
        some = TabularExplainer(model, X[:20], explain_subset=["debt", "age"]).explain_members(X[:7])
        assert some.features == ("debt", "age")
        assert np.array_equal(some.local_importance_values, shares.local_importance_values[..., [2, 0]])
        assert np.array_equal(some.local_member_values, shares.local_member_values)
        assert list(some.data.data.columns) == ["debt", "age"]


class TestRefused:
    X = table()

    def test_a_hard_vote(self):
        y = target(self.X, "binary")
        model = VotingClassifier([("a", RF), ("b", LogisticRegression())], voting="hard").fit(self.X, y)
        with pytest.raises(UnsupportedModelError, match=r"expects an ensemble.*Got VotingClassifier: a majority vote"):
            TabularExplainer(model, self.X[:20]).explain_members(self.X[:2])

    @pytest.mark.parametrize(
        ("model", "why"),
        [
            (RandomForestRegressor(**FOREST), "RandomForestRegressor: its trees are explained as one model"),
            (Ridge(), "Ridge: a linear model"),
            (KNeighborsRegressor(), "KNeighborsRegressor has no structure that could be used"),
            (make_pipeline(Ridge()), "Got Ridge: a linear model"),
            (TransformedTargetRegressor(LGBMR, func=np.arcsinh, inverse_func=np.sinh), "LGBMRegressor: its trees"),
        ],
    )  # fmt: skip
    def test_a_single_model(self, model, why):
        model.fit(self.X, target(self.X, "regression"))
        with pytest.raises(UnsupportedModelError, match=why):
            TabularExplainer(model, self.X[:20]).explain_members(self.X[:2])

    def test_a_single_model_in_another_space_and_without_a_background(self):
        y = target(self.X, "binary")
        for model in (
            LGBMClassifier(n_estimators=3, verbose=-1).fit(self.X, y),
            RandomForestClassifier(3).fit(self.X, y),
        ):
            with pytest.raises(UnsupportedModelError, match="its trees are explained as one model"):
                TabularExplainer(model, self.X[:20], output="probability").explain_members(self.X[:2])
            assert not hasattr(TreeExplainer(model), "explain_members")

    def test_a_function(self):
        with pytest.raises(UnsupportedModelError, match="explain_members expects an ensemble"):
            TabularExplainer(lambda rows: np.asarray(rows)[:, 0], self.X[:20]).explain_members(self.X[:2])

    def test_columns_that_are_not_the_model_s(self):
        X = table("frame")
        model = VotingRegressor([("a", Ridge()), ("b", LGBMR)]).fit(X, target(X, "regression"))
        with pytest.raises(InvalidInputError, match="Did you mean 'age'"):
            TabularExplainer(model, X).explain_members(pd.DataFrame(X).rename(columns={"age": "ago"}))
