"""Latency of scoring explainers beside shap with a pickled model, and what a bundle weighs.

``python -m tests.benchmarks.bench_scoring``

One LightGBM classifier of 200 trees with 31 leaves over 14 columns. Predictions and values of each call; turns of
20 calls with different rows are interleaved in this process. Wall time is the median and the best of all calls, beside the
median CPU time of the process. Loading is measured in a process of its own, whose kernels an earlier process has compiled.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import shap
from lightgbm import LGBMClassifier

from automl_explain import TabularExplainer, load, save, scoring_explainer
from tests.benchmarks.interleaved import turns

rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(4000, 14)), columns=[f"c{j}" for j in range(14)])
y = (X["c0"] * X["c1"] + np.sin(3 * X["c2"]) + 0.3 * rng.normal(size=4000) > 0).astype(int)
MODEL = LGBMClassifier(n_estimators=200, num_leaves=31, verbose=-1, n_jobs=1).fit(X, y)

LOADS = """
import json, sys, time
from automl_explain import load
import automl_explain.explainers.scoring._saving
load(sys.argv[1]).warm_up()
started = time.perf_counter(), time.process_time()
scorer = load(sys.argv[1])
scorer.warm_up()
print(json.dumps([time.perf_counter() - started[0], time.process_time() - started[1]]))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = save(scoring_explainer(TabularExplainer(MODEL, X[:1000])), Path(folder) / "bundle")
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        text = len(MODEL.booster_.model_to_string())
        scorer = load(path)
        scorer.warm_up()
        loaded = subprocess.run([sys.executable, "-c", LOADS, str(path)], capture_output=True, text=True, check=True)
    matrix, rows = X.to_numpy(), X.to_dict(orient="records")
    model = pickle.loads(pickle.dumps(MODEL))
    peer = shap.TreeExplainer(model)
    print(f"load before {os.getloadavg()[0]:.1f}")
    found = turns(
        {
            "one row, array": lambda n: scorer.score(matrix[n : n + 1]),
            "one row, dict": lambda n: scorer.score(rows[n]),
            "one row, Explanation": lambda n: scorer.explain_local(matrix[n : n + 1]),
            "one row, shap + pickle": lambda n: (model.predict_proba(X[n : n + 1]), peer.shap_values(X[n : n + 1])),
            "100 rows, array": lambda n: scorer.score(matrix[n : n + 100]),
            "100 rows, Explanation": lambda n: scorer.explain_local(matrix[n : n + 100]),
            "100 rows, shap + pickle": lambda n: (
                model.predict_proba(X[n : n + 100]),
                peer.shap_values(X[n : n + 100]),
            ),
        }
    )
    for name, (median, best, cpu) in found.items():
        print(f"{name:26} {median:9.3f} ms median {best:9.3f} ms best {cpu:9.3f} ms CPU")
    wall, cpu_seconds = json.loads(loaded.stdout)
    print(f"load and warm-up           {wall:9.3f} s wall {cpu_seconds:9.3f} s CPU")
    print(f"bundle {size:,} bytes, the model's text {text:,}: {size / text:.2f} times")


if __name__ == "__main__":
    main()
