"""Every example runs as its first lines say, and shows what it promises."""

import ast
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SHOWN = {
    "01_flaml_search.py": ["explained", "2 classes, each with SHAP values of shape (143, 30)", "most important: "],
    "02_any_fitted_model.py": ["method: tree", "size", "district", "mean + values ="],
    "03_ensemble.py": ["(ensemble), ensemble explainer", "from coalitions of its members' outputs", "bmi"],
    "04_run_in_a_new_process.py": ["another process found run", "3 classes", "setosa", "automl-explain show --history"],
    "05_optuna_and_what_a_search_teaches.py": ["best trial", "near-best", "rank correlation", "in_top"],
    "06_configuration.py": ["validation: 3 folds of the 200 rows", "best: ", "ensemble: {'size'", "in the south: 3"],
    "07_optuna_in_several_processes.py": ["10 trials of two processes, 10 runs of one search", "the best one, "],
}


def test_examples_are_numbered_and_each_is_run_here():
    assert [path.name for path in EXAMPLES] == sorted(SHOWN)
    for number, path in enumerate(EXAMPLES, start=1):
        first, _, rest = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).partition("\n")
        assert path.name.startswith(f"{number:02d}_")
        assert first.startswith(f"{number}. ")
        assert f"Run: python examples/{path.name}" in rest


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_it_runs_and_shows_what_it_promises(path, tmp_path, record_property):
    environment = os.environ | {"MPLBACKEND": "Agg"}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:__main__", str(path)],
        capture_output=True, text=True, timeout=200, cwd=tmp_path, env=environment,
    )  # fmt: skip
    record_property("seconds", time.monotonic() - started)
    assert done.returncode == 0, done.stderr
    totals = re.findall(r"mean \+ values = ([\d.]+); the model predicts ([\d.]+)", done.stdout)
    assert all(total == predicted for total, predicted in totals)
    assert [words for words in SHOWN[path.name] if words not in done.stdout] == []
    assert list(tmp_path.iterdir()) == [], "an example leaves nothing in the directory it is run from"
