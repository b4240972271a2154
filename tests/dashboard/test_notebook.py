"""The dashboard in a notebook that is executed by its kernel."""

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = (
    """
import numpy as np
from sklearn.linear_model import LinearRegression
from automl_explain import ExplanationDashboard, explain_model
X = np.random.default_rng(0).normal(size=(30, 3))
model = LinearRegression().fit(X, X[:, 0])
dashboard = ExplanationDashboard(explain_model(model, X, X), model, X, title="a dashboard in a notebook")
""",
    "dashboard",
    "import sys; sys.modules['anywidget'] = None\ndashboard",
    "server = dashboard.serve(); server",
    "server.stop()",
)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path_factory.mktemp("notebook"))}}
    ).execute()
    return notebook


@pytest.mark.slow
def test_a_notebook_shows_a_widget_and_keeps_no_data(executed):
    (output,) = executed.cells[1].outputs
    assert "application/vnd.jupyter.widget-view+json" in output["data"]
    states = executed.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    (page,) = [one["state"] for one in states if "_esm" in one["state"]]
    assert "renderWidget" in page["_esm"]
    assert "a dashboard in a notebook" not in str(page)  # the data is sent when the page asks for it


@pytest.mark.slow
def test_without_anywidget_the_page_is_in_a_frame(executed):
    (output,) = executed.cells[2].outputs
    html = output["data"]["text/html"]
    assert html.startswith("<iframe srcdoc=")
    assert "a dashboard in a notebook" in html


@pytest.mark.slow
def test_a_server_shows_its_address(executed):
    (output,) = executed.cells[3].outputs
    assert output["data"]["text/html"].startswith('<a href="http://127.0.0.1:')
