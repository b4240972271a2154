"""5. Explain the trials of your own Optuna study, and summarise all of them together.

Run: python examples/05_optuna_and_what_a_search_teaches.py
"""

import tempfile

import optuna
from lightgbm import LGBMClassifier
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from automl_explain import ExplanationDiff, SearchExplanation, retrieve_model_explanation
from automl_explain.integrations.optuna import TrialExplainer

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_valid, y_train, y_valid = train_test_split(X, y, random_state=0)


def objective(trial):
    with explainer.trial(trial) as seen:
        model = LGBMClassifier(
            n_estimators=trial.suggest_int("n_estimators", 10, 60),
            num_leaves=trial.suggest_int("num_leaves", 3, 15),
            n_jobs=1,
            verbose=-1,
        ).fit(X_train, y_train)
        seen.capture(model, X_valid)
        return model.score(X_valid, y_valid)


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
with TrialExplainer(X_train, history=tempfile.mkdtemp(prefix="runs-")) as explainer:
    study.optimize(objective, n_trials=12)

# A finished trial leads to its run. This also works in any later process.
best = retrieve_model_explanation(study.best_trial)
print(f"best trial {study.best_trial.number}: {', '.join(best.overall_imp[:3])}\n")

# Features that all near-best models need say more about the data than those of a single model.
taught = SearchExplanation.from_runs(explainer.runs, tolerance=0.02)
print("\n".join(taught.sentences()))
print(taught.importance.head().round(3), "\n")

# What changed between the first trial and the best one?
print(ExplanationDiff.between(explainer.runs[0], best).as_text(top_k=5))
