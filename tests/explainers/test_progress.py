"""Progress bars in notebooks: seen while something runs, and gone from the notebook that is kept."""

import os
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from automl_explain.explainers import _progress

CELL = """
import time
from automl_explain.explainers._progress import progress_bar
from automl_explain.integrations.searches._search_bar import search_bar
with progress_bar(20, "explaining rows", True) as advance:
    for _ in range(20):
        time.sleep(0.02)
        advance(1)
with search_bar(None, 3, True) as tell:
    for loss in (3.0, 2.0, 1.0):
        time.sleep(0.12)
        tell(loss)
with search_bar(None, 3, False) as tell:
    tell(1.0)
"""


class Notebook:
    """Stands in for IPython's display of a line with a handle."""

    def __init__(self):
        self.shown = []

    def __call__(self, data, *, raw, display_id):
        self.update(data, raw=raw)
        return self

    def update(self, data, *, raw):
        self.shown.append(data["text/plain"])


def test_a_bar_is_shown_and_then_empty(monkeypatch):
    notebook = Notebook()
    monkeypatch.setattr(_progress, "_display", lambda: notebook)
    with _progress.progress_bar(2, "explaining rows", True) as advance:
        advance(1)
        advance(1)
    assert any("explaining rows" in line and "0/2" in line for line in notebook.shown)
    assert all("\r" not in line and "\x1b" not in line for line in notebook.shown)
    assert notebook.shown[-1] == ""


@pytest.mark.parametrize("disabled", [False, True])
def test_a_bar_appears_late_unless_the_user_has_disabled_all_bars(disabled):
    code = """
from automl_explain.explainers import _progress
_progress.DELAY = 1e-9
with _progress.progress_bar(2, "explaining rows") as advance:
    advance(1)
    advance(1)
"""
    environment = os.environ | {"TQDM_DISABLE": "1" if disabled else ""}  # tqdm reads it when it is imported
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert ("explaining rows" in done.stderr) == (not disabled)


@pytest.mark.slow
def test_no_bar_stays_in_a_notebook(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = notebook.cells[0].outputs
    assert len(outputs) == 2  # each bar that was shown
    assert [output["data"] for output in outputs] == [{"text/plain": ""}] * 2
    assert "widgets" not in notebook.metadata
