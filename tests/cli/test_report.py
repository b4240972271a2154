"""``automl-explain report``: the report of a search, written again."""

import json

from automl_explain.cli import main


def test_report_writes_the_latest_search_again(searched, capsys, tmp_path):
    result, directory, _ = searched
    out = tmp_path / "again.html"
    assert main(["report", "--history", directory, "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    assert result["best_run"] in out.read_text(encoding="utf-8")
    out.unlink()
    assert main(["report", result["search"], "--history", directory, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"search": result["search"], "report": str(out)}
    assert out.is_file()


def test_a_report_that_cannot_be_written_is_refused(fails, searched, csv):
    shown = fails("report", "--history", searched[1], "--out", csv / "report.html")
    assert shown.count("cannot be written") == 1
    assert shown.count("Name another") == 1
    assert ".part" not in shown


def test_a_report_of_an_empty_history_says_how_to_begin(fails, tmp_path):
    assert "make one with: automl-explain demo" in fails("report")
    assert not (tmp_path / "report.html").exists()
