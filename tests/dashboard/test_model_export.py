"""What of a model goes into a page, and what the page is told about it."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMRegressor
from sklearn.linear_model import Ridge

from automl_explain import KernelExplainer, LGBMExplainableModel, MimicExplainer, SamplingOptions, TreeExplainer
from automl_explain.dashboard._subject import Parameters, read_given
from automl_explain.dashboard.data._arrays import ArrayBlock
from automl_explain.dashboard.model import _export
from automl_explain.dashboard.model._export import export_model

RANDOM = np.random.default_rng(0)
X = pd.DataFrame(RANDOM.normal(size=(600, 5)), columns=list("abcde"))
Y = X["a"] + X["b"] * X["c"]
MODEL = LGBMRegressor(n_estimators=20, min_child_samples=5, verbose=-1).fit(X, Y)


def exported(explanation, model=MODEL, rows=X[:60], background=X[:60]):
    given = read_given(explanation, Parameters(model, rows, None, background, None))
    return export_model(given.model, ArrayBlock())


def test_an_explanation_by_another_method_is_told_from_those_of_edited_rows():
    kernel = KernelExplainer(MODEL, X[:30], sampling=SamplingOptions(nsamples=20)).explain_local(X[:60])
    assert exported(kernel)["notes"][0] == "Edited rows are explained by the method tree, the rows shown by kernel."
    mimic = MimicExplainer(MODEL, X[:200], LGBMExplainableModel).explain_local(X[:60])
    assert exported(mimic)["notes"][0] == "Edited rows are explained by the method tree, the rows shown by mimic."


def test_another_base_value_is_said():
    shifted = X[:60].assign(a=X["a"][:60] + 3.0)
    notes = exported(TreeExplainer(MODEL).explain_local(X[:60]), background=shifted)["notes"]
    assert notes[0].startswith("The base value of edited rows is "), notes
    assert exported(TreeExplainer(MODEL, X[:60]).explain_local(X[:60]))["notes"] == []


def test_few_background_rows_stand_for_all():
    explanation = TreeExplainer(MODEL, X).explain_local(X[:60])
    given = read_given(explanation, Parameters(MODEL, X[:60], None, X, None))
    few = _export._few_rows(given.model)
    assert len(few) == _export.BACKGROUND_ROWS
    outputs = MODEL.predict(few.data)
    assert abs(outputs.mean() - explanation.expected_values[0]) < 0.02 * outputs.std()
    assert exported(explanation, background=X)["notes"] == [
        "Edited rows are explained over 100 of the 600 background rows."
    ]


def test_a_model_that_is_too_large_is_imitated(monkeypatch):
    monkeypatch.setattr(_export, "MOST_BYTES", 1_000)
    linear = LGBMRegressor(n_estimators=60, verbose=-1).fit(X, X["a"])
    made = exported(TreeExplainer(linear, X[:60]).explain_local(X[:60]), linear, background=X)
    assert made["kind"] == "surrogate"
    assert "MB are too many). Trees that imitate its predictions answer for it" in made["reason"]
    assert made["fidelity"]["r2"] > _export.LEAST_FIDELITY


def test_what_cannot_be_data_has_one_reason_and_a_way_out():
    def noise(table):
        return np.random.default_rng(1).normal(size=len(table))

    explanation = KernelExplainer(noise, X[:10], model_task="regression").explain_local(X[:20])
    made = exported(explanation, noise, X[:20], X[:60])
    assert made["kind"] == "none"
    reason = made["reason"]
    assert reason.startswith("The model cannot run in the page (a predict function). A surrogate ")
    assert "imitates it too poorly" in reason
    assert reason.endswith(_export.WAY_OUT)


def test_the_page_of_a_linear_model_is_small():
    model = Ridge().fit(X, Y)
    block = ArrayBlock()
    explanation = KernelExplainer(model, X[:40]).explain_local(X[:60])
    given = read_given(explanation, Parameters(model, X[:60], None, X[:40], None))
    assert export_model(given.model, block)["data"]["n_background"] == 1, "the means are enough for a linear model"
    assert len(block.packed()) < 500


@pytest.mark.timeout(20)
def test_a_model_of_thousands_of_outputs_is_not_imitated():
    """Trees for each of them would take a minute, and answer for few rows."""

    def ranks(table):
        return np.tile([[1.0]], (len(table), 5_000)) * np.arange(5_000) / 12_497_500.0

    explanation = KernelExplainer(ranks, X[:2], sampling=SamplingOptions(nsamples=4)).explain_local(X[:1])
    made = exported(explanation, ranks, X[:1], X[:2])
    assert made["kind"] == "none"
    assert "Its 5,000 outputs are too many for a surrogate." in made["reason"]
