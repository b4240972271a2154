"""Searches that tests kill. Each says how many of its trials have ended before it goes on with the next one."""

import contextlib
import os
import sys

import numpy as np
import optuna
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from automl_explain.cli import main
from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.searches.flaml._tap import MetricTap
from automl_explain.integrations.sklearn_search import ExplainingScorer

optuna.logging.set_verbosity(optuna.logging.ERROR)
X, Y = make_classification(240, 6, random_state=0)
FOLDS = 3
said, options = [], {}


class Counter:
    """Writes the number of trials that have ended, each before the next one, or before the search goes on."""

    def __init__(self, parts=1):
        self.n_parts, self.parts = 0, parts

    def say(self):
        os.write(said[0], f"{self.n_parts // self.parts}\n".encode())
        self.n_parts += 1


def flaml(history, workers=None):
    count = Counter(FOLDS)

    def loss(X_val, y_val, estimator, labels, *rest, **settings):
        count.say()
        found = log_loss(y_val, estimator.predict_proba(X_val), labels=labels)
        return found, {"val_loss": found}

    automl = AutoML(model_explainability=True, history=history, explainability_options=options)
    automl.fit(X, Y, task="classification", metric=loss, max_iter=40, estimator_list=["lgbm", "rf"], eval_method="cv",
               n_splits=FOLDS, verbose=0)  # fmt: skip


def study(history):
    count = Counter()

    def objective(trial):
        count.say()
        with explainer.trial(trial) as seen:
            model = DecisionTreeClassifier(max_depth=trial.suggest_int("max_depth", 1, 12), random_state=0)
            seen.capture(model.fit(X[:160], Y[:160]))
            return model.score(X[160:], Y[160:])

    with TrialExplainer(X[:160], X[160:], history=history, explainability_options=options) as explainer:
        optuna.create_study(direction="maximize").optimize(objective, n_trials=60)


def grid(history, n_jobs=None):
    count = Counter(FOLDS)

    def accuracy(estimator, X, y):
        if n_jobs is None:
            count.say()
        return estimator.score(X, y)

    scorer = ExplainingScorer(accuracy, X, history=history, explainability_options=options)
    search = GridSearchCV(
        LogisticRegression(max_iter=50), {"C": np.logspace(-3, 3, 40)}, scoring=scorer, cv=FOLDS, n_jobs=n_jobs
    )
    scorer.explain(search.fit(X, Y))


def workers(history):
    grid(history, n_jobs=2)


def command(history):
    count, call = Counter(), MetricTap.__call__

    def counted(self, *args, **kwargs):
        count.say()
        return call(self, *args, **kwargs)

    MetricTap.__call__ = counted
    with contextlib.chdir(os.path.dirname(history)):
        sys.exit(main(["run", "rows.csv", "--target", "y", "--max-iter", "20", "--time-budget", "30", "--estimators", "lgbm,rf",
                       "--history", history, "--out", "out", *["--keep-models"] * bool(options)]))  # fmt: skip


SEARCHES = {"FLAML": flaml, "Optuna": study, "scikit-learn": grid, "worker processes": workers, "command line": command}


def run(name, history, place, keep_in=None):
    """Run a search in a process that says to a file how many of its trials have ended, and all else to another one.

    With `keep_in`, its models are kept, with a key in this data folder.
    """
    os.setpgid(0, 0)  # so that what it leaves can be ended with it
    if keep_in is not None:
        options["keep_models"] = True
        os.environ["XDG_DATA_HOME"] = keep_in
    said.append(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    os.dup2(os.open(f"{place}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    os.dup2(2, 1)
    try:
        SEARCHES[name](history)
    finally:  # a process that multiprocessing started waits for its children, and joblib's idle for minutes
        get_reusable_executor().shutdown(kill_workers=True)
