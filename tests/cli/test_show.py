"""``automl-explain show``: one explanation, and runs that have none."""

import json
import shutil

from automl_explain import RunHistory
from automl_explain.cli import main
from tests.integrations.history.stored import trial


def test_show_prints_one_explanation(searched, capsys):
    result, directory, _ = searched
    best = result["best_run"]
    assert main(["show", best, "--history", directory, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown.pop("run")["id"] == best
    assert shown.pop("scores").keys() == {"accuracy", "log loss", "ROC AUC"}
    assert shown == result["explanation"]
    assert main(["show", best, "--history", directory, "--top", "2"]) == 0
    text = capsys.readouterr().out
    first, second, third = shown["overall_imp"][:3]
    six_values = text.partition("\n\n")[2]
    assert first in six_values
    assert second in six_values
    assert third not in six_values


def test_an_unknown_run_names_the_nearest(fails, searched):
    result, directory, _ = searched
    assert fails("show", result["best_run"] + "x", "--history", directory).endswith(
        f"Did you mean {result['best_run']!r}?"
    )
    assert "runs begin with" in fails("show", result["search"][:-1], "--history", directory)


def test_a_search_is_its_final_run_and_a_row_is_explained(searched, capsys, fails):
    result, directory, _ = searched
    shown = ["show", result["search"], "--history", directory, "--row", "1", "--class", "benign"]
    assert main([*shown, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["run"]["id"] == result["final_run"]
    assert (row["row"], row["class"]) == (1, "benign")
    assert main(shown) == 0
    text = capsys.readouterr().out
    assert "probability of benign" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "There is no class 'maybe'" in fails(*shown[:-1], "maybe")


def test_a_run_without_explanation_says_why(fails):
    history = RunHistory()
    search = history.start_search("flaml", "binary", {})
    (run_id,) = history.add_runs(search, [trial(0, status="skipped", why="the time for explanations was over")])
    message = fails("show", run_id)
    assert "its status is skipped (the time for explanations was over)" in message
    assert "explain_model(" in message


def test_an_explanation_whose_file_is_broken_is_one_line(fails, searched, tmp_path):
    result, directory, _ = searched
    copy = tmp_path / "copy"
    shutil.copytree(directory, copy)
    for path in (copy / "explanations").iterdir():
        path.write_bytes(b"")
    assert "is not a file that automl-explain wrote" in fails("show", result["best_run"], "--history", copy)
    shutil.rmtree(copy / "explanations")
    assert "cannot be read" in fails("show", result["best_run"], "--history", copy)
