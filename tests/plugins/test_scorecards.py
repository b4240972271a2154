"""A package that adds a reader and an explainer from outside, installed by pip and used as its users would."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent / "scorecards"
USE = """
import numpy as np
import pandas as pd
from scorecards import Scorecard
from scorecards.explainer import PointsExplainer

from automl_explain import Explanation, TabularExplainer, explain_model, load, plot_local, save, scoring_explainer

rows = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=["age", "income", "calls"])
card = Scorecard({"age": 2.0, "income": -1.0, "calls": 0.5}, start=10.0)

explained = explain_model(card, rows[:30], rows[30:])
assert explained.method == "linear", explained.reason
np.testing.assert_allclose(explained.shap_values, (rows[30:] - rows[:30].mean()) * [2.0, -1.0, 0.5])
save(scoring_explainer(explained), directory="bundle")
np.testing.assert_allclose(load("bundle").explain(rows[30:]), explained.shap_values)

own = PointsExplainer(card, rows[:30]).explain_local(rows[30:])
assert own.additivity_error < 1e-12
plot_local(own, 0)
own.save("own.explanation")
assert Explanation.load("own.explanation").get_ranked_global_names() == own.get_ranked_global_names()
"""


@pytest.mark.slow  # builds and installs a package
def test_an_installed_package_adds_a_reader_and_an_explainer(tmp_path):
    package = shutil.copytree(PACKAGE, tmp_path / "source")  # building writes beside the sources
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "site", package]
    subprocess.run(install, check=True, timeout=200)
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n{USE}"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
