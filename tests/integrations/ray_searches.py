"""Parallel FLAML searches on a Ray of their own, with two workers; prints what became of them as one JSON document.

A process of its own, since Ray's warnings, threads and exit handlers are no matter of the tests:
``python -W ignore ray_searches.py FOLDER``.
"""

import json
import sys
import threading
from pathlib import Path

import flaml
import ray
from flaml.automl.model import LGBMEstimator
from sklearn.datasets import make_classification

from automl_explain import retrieve_model_explanation
from automl_explain.integrations.flaml import AutoML
from tests.ray_here import start_ray

X, Y = make_classification(240, 6, n_informative=4, random_state=0)
SETTINGS = {
    "task": "classification", "estimator_list": ["lgbm", "rf"], "hpo_method": "random", "max_iter": 5, "seed": 3,
    "n_jobs": 1, "n_concurrent_trials": 2, "verbose": 0, "log_type": "all",
}  # fmt: skip


class Locked(LGBMEstimator):
    """A learner whose models no process can hand to another."""

    def fit(self, X_train, y_train, budget=None, free_mem_ratio=0, **kwargs):
        seconds = super().fit(X_train, y_train, budget, free_mem_ratio, **kwargs)
        self._model.lock_ = threading.Lock()
        return seconds


def search(automl, folder, name, **more):
    """What FLAML's log says of a search, and what the runs say."""
    log = folder / f"{name}.log"
    ray_settings = {"storage_path": str(folder / "ray"), "reuse_actors": True}
    automl.fit(X, Y, log_file_name=str(log), use_ray=ray_settings, **SETTINGS | more)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    trials = [(row["learner"], row["config"], row["validation_loss"]) for row in rows if "validation_loss" in row]
    return {
        "trials": trials,
        "best_loss": automl.best_loss,
        "runs": [run.as_dict() for run in getattr(automl, "runs", [])],
    }


def main(folder):
    """Search without explanations, with them, and over folds with a learner that cannot be pickled."""
    settings = {"history": folder / "runs", "explainability_options": {"time_budget": 600}}
    explained, folds = (AutoML(model_explainability=True, **settings) for _ in range(2))
    found = {
        "plain": search(flaml.AutoML(), folder, "plain"),
        "explained": search(explained, folder, "explained"),
    }
    final = retrieve_model_explanation(explained).explanation
    found["final"] = {
        "kind": explained.final_run.kind,
        "error": final.additivity_error,
        "predicted": final.predictions.tolist(),
        "expected": explained.predict_proba(final.data.data).tolist(),
        "space": final.output_space,
    }
    folds.add_learner("locked", Locked)
    found["folds"] = search(
        folds, folder, "folds", estimator_list=["locked", "lgbm"], eval_method="cv", n_splits=3, max_iter=4
    )
    found["left"] = [str(path) for path in (folder / "runs" / "spool").glob("*")]
    return found


if __name__ == "__main__":
    start_ray(2, logging_level="ERROR", object_store_memory=100_000_000)
    try:
        answer = main(Path(sys.argv[1]))
    finally:
        ray.shutdown()
    sys.stdout.write(json.dumps(answer))
