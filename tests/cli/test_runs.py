"""``automl-explain runs``: the list of runs."""

import json

from automl_explain.cli import main


def test_runs_lists_as_text_and_as_json(searched, capsys):
    result, directory, _ = searched
    assert main(["runs", "--history", directory, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == result["runs"]
    assert main(["runs", "--history", directory, "--search", result["search"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == result["runs"]
    assert main(["runs", "--history", directory]) == 0
    text = capsys.readouterr().out
    assert all(run["id"] in text and run["top_features"][0][0] in text for run in result["runs"])


def test_runs_of_an_empty_history(capsys, own_history):
    assert main(["runs"]) == 0
    assert capsys.readouterr().out == f"no runs yet in {own_history}; make some with: automl-explain demo\n"
    assert main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_an_unknown_search_is_refused(fails, searched):
    for command in (("runs", "--search", "nope"), ("report", "nope")):
        assert "There is no search 'nope'" in fails(*command, "--history", searched[1])
