"""Peak memory of explaining a million rows as a stream."""

from __future__ import annotations

import subprocess
import sys

import pytest

STREAM = """
import re
import lightgbm
import numpy as np
from automl_explain import TreeExplainer

def peak():  # of the whole process, Python and libraries included; ru_maxrss would begin at that of the process that started it
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

rng = np.random.default_rng(0)
X = rng.normal(size=(1_000_000, 20))
y = X[:20_000, 0] * X[:20_000, 1] + np.sin(3 * X[:20_000, 2])
model = lightgbm.LGBMRegressor(n_estimators=200, num_leaves=31, verbose=-1, n_jobs=2).fit(X[:20_000], y)
explainer = TreeExplainer(model, X[:100] if {background} else None, n_jobs=2, progress=False)
explanation = explainer.explain_global(X, include_local=False, batch_size=8192)
values = explanation.get_ranked_global_values()
assert len(values) == 20 and np.isfinite(values).all()
print((peak() - X.nbytes) / 2**20)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("background", [False, True], ids=["path-dependent", "interventional"])
def test_a_million_rows_stream_in_less_than_a_gigabyte(background: bool) -> None:
    program = STREAM.format(background=background)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    megabytes = float(run.stdout.split()[-1])
    print(f"{megabytes:.0f} MB above the input")
    assert megabytes < 1024
