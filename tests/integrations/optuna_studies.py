"""A study, a model and objectives of the tests of Optuna."""

import os

import optuna
from lightgbm import LGBMClassifier
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.datasets import make_classification

optuna.logging.set_verbosity(optuna.logging.ERROR)

X, Y = make_classification(200, 5, n_informative=3, random_state=0)
X_TRAIN, X_VALID, Y_TRAIN, Y_VALID = X[:150], X[150:], Y[:150], Y[150:]

STORAGES = {
    "memory": lambda folder: None,
    "sqlite": lambda folder: f"sqlite:///{folder / 'study.db'}",
    "journal": lambda folder: JournalStorage(JournalFileBackend(str(folder / "journal.log"))),
}


def new_study(**settings):
    settings = {"direction": "maximize", "sampler": optuna.samplers.TPESampler(seed=0, n_startup_trials=3)} | settings
    return optuna.create_study(study_name="churn", **settings)


def model_of(trial):
    return LGBMClassifier(n_estimators=trial.suggest_int("n_estimators", 2, 12),
                          num_leaves=trial.suggest_int("num_leaves", 2, 6), n_jobs=1, verbose=-1)  # fmt: skip


def explained_objective(explainer):
    def objective(trial):
        with explainer.trial(trial) as seen:
            model = model_of(trial).fit(X_TRAIN, Y_TRAIN)
            seen.capture(model, X_VALID)
            return model.score(X_VALID, Y_VALID)

    return objective


def plain_objective(trial):
    return model_of(trial).fit(X_TRAIN, Y_TRAIN).score(X_VALID, Y_VALID)


def search_in_worker(explainer, kind, folder, n_trials, dies_in=None):
    """Run trials of the study in another process, and return its number."""
    study = optuna.load_study(study_name="churn", storage=STORAGES[kind](folder))

    def objective(trial):
        if trial.number == dies_in:
            os._exit(9)
        return explained_objective(explainer)(trial)

    study.optimize(objective, n_trials=n_trials)
    return os.getpid()
