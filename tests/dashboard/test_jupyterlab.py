"""The dashboard as a widget in a real JupyterLab, in the browser."""

import json
import subprocess
import sys
import time
from importlib.util import find_spec

import nbformat
import pytest

from tests.dashboard.conftest import REQUIRED
from tests.dashboard.test_notebook import CELLS

INSTALL = "pip install 'automl-explain[test-notebooks]'"
STARTED_IN = 180
KERNEL_READY = 180_000
"""Milliseconds in which a kernel starts and imports everything."""
TOKEN = "tests"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Addresses of a notebook in JupyterLab, and of the server, which listens on a free port of this machine."""
    if find_spec("jupyterlab") is None:
        if REQUIRED:
            pytest.fail(f"There is no JupyterLab: {INSTALL}")
        pytest.skip(f"needs JupyterLab: {INSTALL}")
    folder = tmp_path_factory.mktemp("lab")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(text) for text in CELLS[:2]]
    (folder / "notebooks").mkdir()
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "notebooks" / "page.ipynb"
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONFIG", "DATA", "RUNTIME"):
            patch.setenv(f"JUPYTER_{name}_DIR", str(folder / name))
        arguments = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", f"--IdentityProvider.token={TOKEN}"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *arguments, "--LabApp.news_url="],
                cwd=folder / "notebooks", stdout=log, stderr=log,
            )  # fmt: skip
    try:
        yield _address(folder, process)
    finally:
        process.terminate()
        process.wait(30)


def _address(folder, process):
    end = time.monotonic() + STARTED_IN
    while time.monotonic() < end and process.poll() is None:
        for path in (folder / "RUNTIME").glob("jpserver-*.json"):
            return json.loads(path.read_text())["url"]
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text())


@pytest.mark.slow
def test_the_widget_shows_itself_and_asks_the_kernel(lab, open_page):
    # JupyterLab says which workspace and socket it opens, and on a busy machine which of its plugins took long.
    open_page.expected = ("debug: ", "to activate")
    page = open_page(f"{lab}lab/tree/page.ipynb?token={TOKEN}", allow=lab, viewport={"width": 1400, "height": 1100})
    page.set_default_timeout(KERNEL_READY)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=KERNEL_READY)
    page.get_by_role("menuitem", name="Settings").click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text("JupyterLab Dark", exact=True).click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    dashboard = page.locator(".axd")
    dashboard.locator("canvas").first.wait_for(timeout=KERNEL_READY)
    assert dashboard.get_attribute("data-theme") == "dark"  # as JupyterLab, not as the system
    dashboard.get_by_label("Name of a row to select").fill("3")
    dashboard.get_by_role("button", name="Add", exact=True).click()
    dashboard.get_by_role("tab", name="What-if").click()
    dashboard.get_by_label("x0", exact=True).fill("1.5")
    after = dashboard.locator(".axd-before-after tbody td").nth(1)
    after.get_by_text("1.50").wait_for()  # the model is y = x0
    assert "this notebook's kernel" in dashboard.locator(".axd-check").inner_text()
