"""What the members of a FLAML search's ensemble bring."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression

from automl_explain import (
    AutoMLExplainWarning,
    InvalidInputError,
    TabularExplainer,
    plot_member_shares,
    retrieve_model_explanation,
)
from automl_explain.integrations._vote import vote_for
from automl_explain.integrations.flaml import AutoML
from tests.families import table, target

FINALS = {
    "default": {},
    "logistic, passthrough": {"final_estimator": LogisticRegression(), "passthrough": True},
    "logistic": {"final_estimator": LogisticRegression(), "passthrough": False},
    "trees": {"final_estimator": LGBMClassifier(n_estimators=5, verbose=-1), "passthrough": True},
}


def search(task, ensemble, kind="frame", **options):
    X = table(kind)
    automl = AutoML(model_explainability=True, explainability_options={"which": "best", "n_jobs": 1, **options})
    automl.fit(
        X, target(X, "binary" if task == "classification" else "regression"), task=task, ensemble={"n_jobs": 1, **ensemble},
        estimator_list=["lgbm", "rf"], eval_method="cv", n_splits=3, max_iter=6, verbose=0, seed=1,
        learner_selector="roundrobin", n_jobs=1,
    )  # fmt: skip
    return automl, X


@pytest.mark.parametrize("final", FINALS)
def test_a_stack_s_explanation_says_what_each_member_brings(final):
    automl, X = search("classification", FINALS[final])
    shares = retrieve_model_explanation(automl).members
    passthrough = ("passthrough",) if automl.model.passthrough else ()
    assert set(shares.members) == {"lgbm", "rf", *passthrough}
    assert shares.additivity_error < 1e-9
    assert shares.local_importance_values is None
    assert retrieve_model_explanation(automl.best_run).members is None
    explainer = TabularExplainer(automl, X[:30], output="log_odds", feature_space="raw")
    explanation, shares = explainer.explain_local(X[:3]), explainer.explain_members(X[:3])
    assert (shares.local_importance_values is None) == (final == "trees")
    if final != "trees":
        values = explanation.local_importance_values
        np.testing.assert_allclose(shares.local_importance_values.sum(axis=0), values, atol=1e-9)


def test_the_scores_are_those_that_the_final_estimator_takes_the_logistic_of():
    automl, X = search("classification", FINALS["logistic, passthrough"], output="log_odds")
    kept = retrieve_model_explanation(automl).explanation
    split = kept.members.local_importance_values
    np.testing.assert_allclose(split.sum(axis=0), kept.local_importance_values, atol=1e-9)
    shares = TabularExplainer(automl, X[:30], output="log_odds").explain_members(X[:5])
    stack, rows = automl.model, automl.preprocess(X[:5])
    np.testing.assert_allclose(shares.predictions[:, 1], stack.decision_function(rows), atol=1e-9)
    coef = stack.final_estimator_.coef_[0]
    background = automl.preprocess(X[:30])
    for name, wrapper, weight in zip(shares.members, stack.estimators_, coef, strict=False):
        part = weight * (wrapper.predict_proba(rows)[:, 1] - wrapper.predict_proba(background)[:, 1].mean())
        np.testing.assert_allclose(shares.local_member_values[shares.members.index(name), 1], part, atol=1e-9)
    direct = (rows.to_numpy() - background.to_numpy().mean(axis=0)) * coef[len(stack.estimators_) :]
    np.testing.assert_allclose(shares.local_importance_values[-1, 1], direct, atol=1e-9)


@pytest.mark.parametrize("kind", ["frame", "mixed"])
def test_a_regression_s_stack_is_split_by_feature(kind):
    automl, _ = search("regression", {}, kind)
    explanation = retrieve_model_explanation(automl).explanation
    shares = explanation.members
    assert ("passthrough" in shares.members) == (kind == "frame")  # FLAML passes no categories through
    values = explanation.local_importance_values
    np.testing.assert_allclose(shares.local_importance_values.sum(axis=0), values, atol=1e-9)
    assert shares.features == explanation.features


@pytest.mark.parametrize("task", ["classification", pytest.param("regression", marks=pytest.mark.slow)])
def test_a_vote_of_flaml_s_learners_is_split_among_them(task):
    """What the flaml engine passes to FLAML for ensemble="voting"."""
    automl, X = search(task, {"final_estimator": vote_for(task), "passthrough": False})
    final, model = automl.final_run, automl.model
    weights = final.config["weights"]
    assert final.learner == f"vote of {', '.join(weights)}"
    rows = automl.preprocess(X)
    method = "predict" if task == "regression" else "predict_proba"
    mean = sum(
        w * getattr(one, method)(rows)
        for one, w in zip(model.estimators_, model.final_estimator_.weights_, strict=True)
    )
    np.testing.assert_allclose(getattr(automl, method)(X), mean, atol=1e-9)
    shares = TabularExplainer(automl, X[:20], feature_space="raw").explain_members(X[:2])
    assert set(shares.members) == {"lgbm", "rf"} == set(weights)
    assert shares.additivity_error < 1e-9


def test_a_search_that_builds_no_ensemble_says_so_and_its_final_model_says_that_it_has_no_members():
    X = table("frame")
    automl = AutoML(model_explainability=True, explainability_options={"which": "best", "n_jobs": 1})
    with pytest.warns(
        AutoMLExplainWarning, match="FLAML built no ensemble: its trials were all of lgbm, and a stack needs"
    ):
        automl.fit(
            X, target(X, "regression"), task="regression", ensemble=True, estimator_list=["lgbm"], max_iter=2, verbose=0,
            n_jobs=1, eval_method="holdout",
        )  # fmt: skip
    final = retrieve_model_explanation(automl)
    assert final.members is None
    with pytest.raises(InvalidInputError, match=r"Got one by the tree method \(a tree ensemble, explained exactly"):
        plot_member_shares(final)
