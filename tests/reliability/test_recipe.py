"""The guide's recipe for a model that may hang: a process of its own, which is killed when its time is over."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "reliability.md"
MODELS = """
import sys, time
import numpy as np
from sklearn.linear_model import LogisticRegression


class Hangs(LogisticRegression):
    def predict_proba(self, X):
        while True:
            time.sleep(1)


X = np.random.default_rng(0).normal(size=(60, 3))
model = (Hangs if "hangs" in sys.argv else LogisticRegression)().fit(X, X[:, 0] > 0)
X_train, X_test, explanation = X[:40], X[40:], None
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize(("model", "said"), [("answers", "Explanation(20 rows"), ("hangs", "None")])
def test_the_recipe_for_a_model_that_may_hang(model, said, tmp_path):
    (recipe,) = re.findall("```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert "join(60)" in recipe
    script = (
        MODELS + recipe.replace("join(60)", f"join({10 if model == 'hangs' else 200})") + "    print(explanation)\n"
    )
    (tmp_path / "script.py").write_text(script)
    line = [sys.executable, "script.py", model]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(said)
