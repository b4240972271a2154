"""A search whose final model was not explained: every view says so first, and ``run`` has an exit code of its own."""

import json

import pytest

from automl_explain import RunHistory, write_report
from automl_explain.cli import main
from automl_explain.cli._searching import FINAL_NOT_EXPLAINED
from automl_explain.explainers.formatting._text_table import wrapped
from automl_explain.integrations.searches.workers import _explain_run
from automl_explain.report._facts import tell
from automl_explain.report._findings import first_look
from automl_explain.search._experiment import ExperimentRun
from automl_explain.search.engines._base import FinishedSearch
from tests.cli.searches import QUICK


@pytest.fixture
def broken(monkeypatch):
    """Explanations of final models fail; those of trials do not."""
    explain = _explain_run.explain_within

    def fail(model, job, seconds, *, members=False, **rest):
        if members:  # asked for of final models only
            raise ZeroDivisionError("injected")
        return explain(model, job, seconds, members=members, **rest)

    monkeypatch.setattr(_explain_run, "explain_within", fail)


def said(run):
    return f"The final model {run.id} ({run.learner}) was not explained: ZeroDivisionError: injected"


def test_run_runs_show_and_the_report_say_so_first(broken, capsys, csv, tmp_path):
    arguments = ["run", str(csv), "--target", "bought", *QUICK, "--cv", "2", "--out", str(tmp_path / "out")]
    assert main(arguments) == FINAL_NOT_EXPLAINED == 4
    shown = capsys.readouterr().out
    runs = RunHistory().runs()
    final = runs[-1]
    assert (final.kind, final.status) == ("refit", "failed")
    assert shown.startswith(wrapped(said(final)))

    assert main(["runs"]) == 0
    assert capsys.readouterr().out.startswith(wrapped(said(final)))
    assert main(["show", runs[0].id]) == 0
    assert capsys.readouterr().out.startswith(wrapped(said(final)))
    assert first_look(tell(runs))[0] == f"{said(final)}."
    assert repr(runs).startswith(said(final))
    found = ExperimentRun("own", None, FinishedSearch(None, list(runs)))
    assert repr(found).startswith(said(final))
    assert repr(found.runs).startswith(said(final))
    page = write_report(tmp_path / "page.html", runs).read_text()
    assert page.index(said(final)) < page.index("The best of")


def test_json_says_so_too(broken, capsys, csv, tmp_path):
    arguments = ["run", str(csv), "--target", "bought", *QUICK, "--cv", "2", "--json", "--out", str(tmp_path / "out")]
    assert main(arguments) == FINAL_NOT_EXPLAINED
    assert json.loads(capsys.readouterr().out)["final_explained"] is False


def test_an_explained_final_model_is_not_mentioned(capsys, csv, tmp_path):
    assert (
        main(["run", str(csv), "--target", "bought", *QUICK, "--cv", "2", "--json", "--out", str(tmp_path / "out")])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["final_explained"] is True
    assert repr(RunHistory().runs()).startswith("[Run(")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help_documents_the_exit_code(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    shown = " ".join(capsys.readouterr().out.split())
    assert "4 the final model of a search was not explained" in shown or "exit code is 4 if the final model" in shown
