"""`score` of scoring explainers: predictions and values, for trees out of one pass."""

import numpy as np
import pytest
from lightgbm import LGBMRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor, VotingClassifier

from automl_explain import InvalidInputError, TabularExplainer, scoring_explainer
from automl_explain.explainers.trees._predict import TreePredictor
from tests.explainers.scoring.conftest import CASES, X, Y

ROUNDING = 1e-12


def test_scores_are_the_predictions_and_values_of_the_explainer(case):
    explainer, rows = case
    scorer = scoring_explainer(explainer)
    wanted = explainer.explain_local(rows)
    expected = wanted.local_importance_values if wanted.classes is not None else wanted.local_importance_values[None]
    n_shown = expected.shape[-1]
    chosen = (
        range(n_shown)
        if wanted.features is None
        else [scorer._scorer.labels.features.index(n) for n in wanted.features]
    )
    for given, some in [(rows, slice(None)), (rows[:1], slice(0, 1))]:
        outputs, values = scorer.score(given)
        assert np.array_equal(outputs, scorer._scorer.outputs(scorer._scorer.read(given)))
        size = max(1.0, float(np.abs(outputs).max()))
        assert np.allclose(values[..., list(chosen)], expected[:, some], rtol=0, atol=ROUNDING * size)


@pytest.mark.parametrize("name", ["lightgbm", "path-dependent", "xgboost", "forest", "mimic", "vote of forests"])
def test_one_pass_over_the_trees_gives_predictions_and_values(name, monkeypatch):
    cases = {**CASES, "vote of forests": lambda: (TabularExplainer(forests(), X[:40]), X)}
    explainer, rows = cases[name]()
    scorer = scoring_explainer(explainer)
    scorer.warm_up()
    expected = scorer.predict(rows[:40]).reshape(40, -1)

    def again(*_, **__):
        raise AssertionError("the rows are routed again")

    monkeypatch.setattr(TreePredictor, "__call__", again)
    for n_rows in (1, 40):
        assert np.allclose(scorer.score(rows[:n_rows])[0], expected[:n_rows], rtol=0, atol=ROUNDING)


def forests():
    members = [(str(seed), RandomForestClassifier(n_estimators=4, random_state=seed)) for seed in range(2)]
    return VotingClassifier(members, voting="soft").fit(X, Y)


@pytest.mark.parametrize("model", [LGBMRegressor(n_estimators=3, verbose=-1), RandomForestRegressor(3, random_state=0)])
def test_numbers_that_a_library_treats_by_a_rule_of_its_own_are_refused_in_scores_too(model):
    scorer = scoring_explainer(TabularExplainer(model.fit(X, X[:, 0]), X[:20]))
    wrong = X[:3].copy()
    wrong[1, 2] = np.inf
    for call in (scorer.score, scorer.explain, scorer.predict):
        for rows in (wrong, wrong[1]):
            with pytest.raises(InvalidInputError, match=r"finite|NaN"):
                call(rows)
