"""The rolling importance that a service keeps, and its comparison with that of training."""

import numpy as np
import pytest

from automl_explain import Explanation, ExplanationDiff, load, save, scoring_explainer
from automl_explain.cli import main
from automl_explain.explainers._errors import ExplanationNotFoundError
from automl_explain.explainers.scoring._inspecting import bundled_importance
from automl_explain.service.models._bundle_model import BundleModel
from automl_explain.service.models._importance import RollingImportance
from tests.service.models import classifier, fitted, records, regressor, table
from tests.service.running import running


@pytest.mark.parametrize("make", [classifier, regressor])
def test_few_rows_give_their_plain_means(make):
    model, rolling = make(), RollingImportance(make(), 10**9)
    with pytest.raises(ExplanationNotFoundError):
        rolling.explanation()
    parts = [table(40).iloc[:10], table(40).iloc[10:]]
    for part in parts:
        scored = model.score(part.astype(object).where(part.notna(), None).to_dict("list"), True)
        rolling.add(scored.values, scored.base_values)
    whole = model.scorer.explain_local(table(40).to_dict("list"))
    found = rolling.explanation()
    np.testing.assert_allclose(found.global_importance_values, whole.global_importance_values, rtol=1e-6)
    assert found.get_ranked_global_names() == whole.get_ranked_global_names()
    assert rolling.rows == 40


def test_rows_weigh_half_after_the_half_life():
    model = regressor()
    rolling = RollingImportance(model, 100)
    rolling.add(np.ones((1000, 4)), np.zeros(1))
    rolling.add(np.zeros((100, 4)), np.zeros(1))
    kept = 0.5 * 1000
    np.testing.assert_allclose(rolling.means(), kept / (kept + 100))


def test_the_service_says_how_far_the_importance_has_moved_since_training(tmp_path):
    X = table(200)
    scorer = scoring_explainer(fitted(), table())
    trained = scorer.explain_local(X.to_dict("list"))
    bundle = save(scorer.with_importance(trained), tmp_path / "bundle")
    model = BundleModel(load(bundle))
    assert model.importance.local_importance_values is None
    np.testing.assert_array_equal(model.importance.per_class_values, trained.per_class_values)
    rolling = RollingImportance(model, 10**9)
    assert rolling.moved() is None
    with running(model) as client:
        client.post("/score", records(X.assign(age=0.0)))
        (line,) = [line for line in client.get("/metrics").body.decode().splitlines() if "_moved{" in line]
        path = tmp_path / "now.zip"  # its name says nothing
        path.write_bytes(client.get("/importance").body)
    expected = ExplanationDiff.between(trained, Explanation.load(path)).moved
    assert expected > 0.1
    assert float(line.split()[-1]) == pytest.approx(expected, abs=1e-9)
    assert main(["diff", str(bundle), str(path), "--max-change", "0.1"]) == 3
    with pytest.raises(ExplanationNotFoundError, match="keeps no importance"):
        bundled_importance(save(scorer, tmp_path / "without"))


def test_the_service_s_importance_is_compared_with_that_of_training(tmp_path):
    model = classifier()
    with running(model) as client:
        assert client.get("/importance").status == 404
        client.post("/score", records(table(200)))
        path = tmp_path / "now.explanation"
        path.write_bytes(client.get("/importance").body)
        gauges = [line for line in client.get("/metrics").body.decode().splitlines() if "_importance{" in line]
    now, training = Explanation.load(path), model.scorer.explain_local(table(200))
    assert now.local_importance_values is None
    diff = ExplanationDiff.between(training, now)
    assert diff.exceeds(min_correlation=0.99, max_change=1e-6) == []
    assert len(gauges) == 4
    drifted = ExplanationDiff.between(training, model.scorer.explain_local(table(200).assign(age=0.0)))
    assert drifted.exceeds(max_change=0.1)
