"""MimicExplainer against interpret-community 0.32, which needs an older numpy and so an environment of its own.

INTERPRET_COMMUNITY_PYTHON names the interpreter of such an environment (interpret-community==0.32.0, numpy<2.3); without
it the comparison is skipped. Both imitate the same teacher, whose outputs are computed beforehand, with LightGBM.
"""

import json
import os
import subprocess
import time

import numpy as np
import pytest

from automl_explain import LGBMExplainableModel, MimicExplainer

N_ROWS, N_COLUMNS, BAR = 20_000, 50, 5.0
PYTHON = os.environ.get("INTERPRET_COMMUNITY_PYTHON")
pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not PYTHON, reason="INTERPRET_COMMUNITY_PYTHON names no interpreter with interpret-community"),
]

TEACHER = """
import numpy as np

class Teacher:
    def __init__(self, kind):
        self.kind = kind
        if kind == "classification":
            self.predict_proba = self._probabilities
    def _score(self, X):
        return 2 * X[:, 0] + X[:, 1] * X[:, 2] + np.sin(2 * X[:, 3]) + 0.5 * np.abs(X[:, 4]) + 0.1 * X[:, 5:10].sum(axis=1)
    def _probabilities(self, X):
        second = 1 / (1 + np.exp(-self._score(np.asarray(X))))
        return np.column_stack([1 - second, second])
    def predict(self, X):
        X = np.asarray(X)
        return (self._score(X) > 0).astype(int) if self.kind == "classification" else self._score(X)
"""
PEER = (
    TEACHER
    + """
import json, sys, time, warnings, logging
warnings.simplefilter("ignore"); logging.disable(logging.WARNING)
from interpret_community.mimic.mimic_explainer import MimicExplainer
from interpret_community.mimic.models import LGBMExplainableModel
data = np.load(sys.argv[2])
teacher = Teacher(sys.argv[1])
options = {"classes": [0, 1]} if sys.argv[1] == "classification" else {}
explainer = MimicExplainer(teacher, data["train"], LGBMExplainableModel, augment_data=False, **options)
seconds = []
for _ in range(3):
    start = time.perf_counter()
    explanation = explainer.explain_global(data["train"])
    seconds.append(time.perf_counter() - start)
surrogate = explainer.surrogate_model.model
if sys.argv[1] == "classification":
    # its surrogate is a regression of the log-odds of the second class
    fidelity = float(((surrogate.predict(data["fresh"]) > 0) == teacher.predict(data["fresh"])).mean())
else:
    answers = teacher.predict(data["fresh"])
    fidelity = float(1 - ((surrogate.predict(data["fresh"]) - answers) ** 2).mean() / answers.var())
print(json.dumps({"seconds": min(seconds), "fidelity": fidelity}))
"""
)


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_explaining_globally_is_five_times_as_fast_as_interpret_community(kind, tmp_path):
    rng = np.random.default_rng(0)
    train, fresh = rng.normal(size=(N_ROWS, N_COLUMNS)), rng.normal(size=(5000, N_COLUMNS))
    np.savez(tmp_path / "data.npz", train=train, fresh=fresh)
    names = {}
    exec(TEACHER, names)
    teacher = names["Teacher"](kind)
    start = time.perf_counter()
    explainer = MimicExplainer(
        teacher.predict if kind == "regression" else teacher.predict_proba, train, LGBMExplainableModel
    )
    training = time.perf_counter() - start
    explainer.explain_local(train[:64])  # compiles
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        explainer.explain_global(train)
        seconds.append(time.perf_counter() - start)
    outputs, answers = explainer.model.predict(fresh), teacher.predict(fresh)
    if kind == "classification":
        fidelity = (outputs.argmax(axis=1) == answers).mean()
    else:
        fidelity = 1 - ((outputs[:, 0] - answers) ** 2).mean() / answers.var()
    peer = subprocess.run([PYTHON, "-c", PEER, kind, str(tmp_path / "data.npz")], capture_output=True, text=True)
    assert peer.returncode == 0, peer.stderr
    other = json.loads(peer.stdout.splitlines()[-1])
    ratio = other["seconds"] / min(seconds)
    print(
        f"\n{kind}: explain_global of {N_ROWS} x {N_COLUMNS} in {min(seconds):.2f} s, interpret-community in "
        f"{other['seconds']:.2f} s ({ratio:.1f}x); fidelity {fidelity:.4f} and {other['fidelity']:.4f}; "
        f"training and background {training:.1f} s"
    )
    assert fidelity >= other["fidelity"]
    assert ratio >= BAR
