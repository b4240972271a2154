"""`bundle`, `score`, `inspect` and `verify`: from a run of a search to explained rows of a file."""

import argparse
import json
from dataclasses import fields

import pandas as pd
import pytest

from automl_explain import InvalidInputError, RunHistory, ServiceLimits, inspect_bundle, load, scoring_explainer
from automl_explain.cli import main
from automl_explain.cli.scoring._serve import COMMAND as SERVE
from automl_explain.explainers.bundles._manifest import KEY_VARIABLE
from automl_explain.integrations.history._run_scorers import copies_of, scorer_of
from tests.cli.searches import people


@pytest.fixture(scope="module")
def bundled(searched, tmp_path_factory):
    """The bundle of the final model of the demo, and the run."""
    found, history, _ = searched
    final = RunHistory(history).run(found["final_run"])
    place = tmp_path_factory.mktemp("bundle") / "mine"
    assert main(["bundle", final.id, str(place), "--history", history]) == 0
    return place, final


def test_a_run_of_a_search_becomes_a_bundle_that_knows_its_run(bundled):
    place, run = bundled
    assert inspect_bundle(place)["facts"]["run"] == run.id
    assert copies_of(run) == [str(place.resolve())]
    assert scoring_explainer(run).fingerprint == load(place).fingerprint
    kept = load(place).importance
    assert kept.get_feature_importance_dict() == run.explanation.get_feature_importance_dict()


def test_the_best_trial_is_kept_too_and_others_say_why_not(searched, fails, tmp_path):
    _, history, _ = searched
    runs = RunHistory(history).runs()
    trials = sorted(
        (run for run in runs if run.kind == "trial" and run.status == "explained"), key=lambda run: run.loss
    )
    assert scorer_of(trials[0]).features
    if len(trials) > 1:
        said = fails("bundle", trials[-1].id, tmp_path / "other", "--history", history)
        assert "has no scoring explainer" in said
        assert "scoring_explainer(model, X_train)" in said


def test_a_run_that_was_kept_without_a_key_is_signed_if_its_user_says_so(
    bundled, searched, fails, tmp_path, monkeypatch
):
    _, run = bundled
    _, history, _ = searched
    monkeypatch.setenv(KEY_VARIABLE, "the key of production")
    arguments = ["bundle", run.id, str(tmp_path / "signed"), "--history", history]
    assert "--unsigned" in fails(*arguments)
    assert not (tmp_path / "signed").exists()
    assert main([*arguments, "--unsigned"]) == 0
    assert inspect_bundle(tmp_path / "signed")["signed"]
    assert load(tmp_path / "signed").importance is not None
    monkeypatch.setenv(KEY_VARIABLE, "another key")
    with pytest.raises(InvalidInputError, match="not that of the key"):
        load(tmp_path / "signed")


@pytest.mark.parametrize("name", ["explained.csv", "explained.parquet"])
def test_the_rows_of_a_file_are_explained(bundled, name, tmp_path, capsys):
    place, _ = bundled
    columns = [column["name"] for column in inspect_bundle(place)["schema"]["columns"]]
    scorer = load(place)
    rows = pd.DataFrame(
        [{c.name: (c.categories[0] if c.categories else float(n)) for c in scorer.schema.columns} for n in range(4)]
    )[columns[::-1]].assign(comment="not a column of the model")
    rows.to_csv(tmp_path / "new.csv", index=False)
    out = tmp_path / name
    assert main(["score", str(place), "--data", str(tmp_path / "new.csv"), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"rows": 4, "out": str(out)}
    found = pd.read_csv(out) if out.suffix == ".csv" else pd.read_parquet(out)
    assert len(found) == 4
    assert {"prediction", "base value"} < set(found.columns)
    assert main(["score", str(place), "--data", str(tmp_path / "new.csv")]) == 0
    assert capsys.readouterr().out.startswith("prediction,")


def test_every_limit_of_the_service_has_an_option_with_its_default():
    parser = argparse.ArgumentParser()
    SERVE.add_arguments(parser)
    given = vars(parser.parse_args(["bundle"]))
    assert ServiceLimits(**{field.name: given[field.name] for field in fields(ServiceLimits)}) == ServiceLimits()


def test_inspect_and_verify_show_what_is_there(bundled, capsys):
    place, run = bundled
    assert main(["inspect", str(place)]) == 0
    said = capsys.readouterr().out
    assert f"run: {run.id}" in said
    assert "may be missing" in said
    assert main(["inspect", str(place), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fingerprint"] == load(place).fingerprint
    assert main(["verify", str(place), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["whole"]


def test_bad_bundles_and_files_are_one_line(bundled, fails, csv, tmp_path):
    place, _ = bundled
    assert "no bundle" in fails("verify", tmp_path / "nowhere")
    assert "columns" in fails("score", place, "--data", csv)
    assert ".parquet" in fails("score", place, "--data", csv, "--out", tmp_path / "x.xlsx")
    assert "exist_ok" in fails("bundle", bundled[1].id, place, "--history", bundled[1].history.directory)
    changed = tmp_path / "changed"
    changed.mkdir()
    (changed / "manifest.json").write_text("{}")
    assert "is not a bundle of a scoring explainer" in fails("inspect", changed)
    assert len(people()) > 0
