"""7. Search one Optuna study in two processes, and explain all trials in this one.

Run: python examples/07_optuna_in_several_processes.py
"""

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import optuna
from lightgbm import LGBMClassifier
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from automl_explain import SearchExplanation
from automl_explain.integrations.optuna import TrialExplainer

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_valid, y_train, y_valid = train_test_split(X, y, random_state=0)


def storage(folder):
    return JournalStorage(JournalFileBackend(f"{folder}/journal.log"))


def search(explainer, folder, n_trials):
    """What a worker does: it gets the explainer, and passes the models that it captures to the process that made it."""

    def objective(trial):
        with explainer.trial(trial) as seen:
            model = LGBMClassifier(num_leaves=trial.suggest_int("num_leaves", 3, 31), n_jobs=1, verbose=-1)
            model.fit(X_train, y_train)
            seen.capture(model, X_valid)
            return model.score(X_valid, y_valid)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.load_study(study_name="tumours", storage=storage(folder)).optimize(objective, n_trials=n_trials)


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="study-"))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name="tumours", storage=storage(folder), direction="maximize")
    with (
        TrialExplainer(X_train, history=folder / "runs") as explainer,
        ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool,
    ):
        for worker in [pool.submit(search, explainer, folder, 5) for _ in range(2)]:
            worker.result()

    runs = explainer.runs
    print(f"{len(study.trials)} trials of two processes, {len(runs)} runs of one search")
    print(f"the best one, {explainer.best_run.id}, has {explainer.best_run.config}")
    print("\n".join(SearchExplanation.from_runs(runs).sentences()))
