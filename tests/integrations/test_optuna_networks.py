"""PyTorch networks that an Optuna objective captures are explained like any run: history, report and command line."""

import numpy as np
import optuna
import pytest
import torch
from torch import nn

from automl_explain import explain_model, retrieve_model_explanation, write_report
from automl_explain.cli import main
from automl_explain.integrations.optuna import TrialExplainer

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
NAMES = ["age", "income", "debt", "visits"]


def network(width):
    with torch.random.fork_rng([]):
        torch.manual_seed(width)
        return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Dropout(0.5), nn.Linear(width, 2), nn.Softmax(1))


@pytest.fixture
def study():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def objective(trial):
        module = network(trial.suggest_int("width", 3, 8))
        with explainer.trial(trial) as captured:
            captured.capture(module, X[40:])
        return trial.number

    with TrialExplainer(X[:20], features=NAMES, explainability_options={"time_budget": 300}) as explainer:
        study.optimize(objective, n_trials=2)
    return study, explainer


def test_networks_of_a_study_are_explained(study, tmp_path, capsys):
    study, explainer = study
    assert [(run.status, run.learner) for run in explainer.runs] == [("explained", "Sequential")] * 2
    found = retrieve_model_explanation(study.best_trial)
    assert (found.method, found.output_space) == ("coalitions", "probability")
    assert found.explanation.features == tuple(NAMES)
    module = network(study.best_params["width"])
    wanted = explain_model(module, X[:20], X[40:], features=NAMES)
    np.testing.assert_allclose(found.expected_values, wanted.expected_values, atol=1e-6)
    assert found.overall_imp == wanted.overall_imp
    write_report(tmp_path / "report.html", explainer.runs)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Sequential" in page
    assert "income" in page
    assert main(["show", found.run_id]) == 0
    assert "income" in capsys.readouterr().out
