"""1. Search for a model with FLAML and explain every run of the search.

Run: python examples/01_flaml_search.py
"""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from automl_explain import retrieve_model_explanation
from automl_explain.integrations.flaml import AutoML

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_valid, y_train, y_valid = train_test_split(X, y, random_state=0, stratify=y)

# There are two differences from plain FLAML: where AutoML is imported from, and this argument.
automl = AutoML(model_explainability=True)
automl.fit(
    X_train, y_train, X_val=X_valid, y_val=y_valid, task="classification",
    estimator_list=["lgbm", "extra_tree"], max_iter=8, time_budget=60, verbose=0, seed=0,
)  # fmt: skip

# Every trial is a run. It has a loss, a status, and the most important features if it was explained.
for run in automl.runs:
    features = ", ".join(name for name, _ in run.top[:3]) or run.why
    loss = "" if run.loss is None else f"{run.loss:.4f}"
    print(f"{run.id:<17} {run.learner:<10} {loss:<7} {run.status:<10} {features}")

# The explanation of the best run is that of the model that was scored in this trial. It unpacks to six values.
explained = retrieve_model_explanation(automl.best_run)
shap_values, expected_values, overall_summary, overall_imp, per_class_summary, per_class_imp = explained

print(
    f"\n{len(shap_values)} classes, each with SHAP values of shape {shap_values[0].shape} in {explained.output_space}"
)
print(f"most important: {overall_imp[0]} ({overall_summary[0]:.3f})")
print(f"largest gap to the model's own output: {explained.additivity_error:.1e}")
print(f"how: {explained.reason}")
