"""3. Explain the stack of learners that a FLAML search ends with, and compare it with the best single model.

Run: python examples/03_ensemble.py
"""

import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from automl_explain import retrieve_model_explanation
from automl_explain.integrations.flaml import AutoML

X, y = load_diabetes(return_X_y=True, as_frame=True)
X_train, X_valid, y_train, y_valid = train_test_split(X, y, random_state=0)

automl = AutoML(model_explainability=True, explainability_options={"which": "best", "max_rows": 30, "time_budget": 60})
automl.fit(
    X_train, y_train, X_val=X_valid, y_val=y_valid, task="regression", ensemble=True,
    estimator_list=["lgbm", "extra_tree"], max_iter=8, time_budget=60, verbose=0, seed=0,
    learner_selector="roundrobin",  # FLAML chooses learners by cost; a stack needs each learner to be tried once
)  # fmt: skip

# best_run is the best trial. The AutoML object itself stands for the model that automl.predict uses.
best = retrieve_model_explanation(automl.best_run)
final = retrieve_model_explanation(automl)
print(f"best trial:  {automl.best_run.learner}, {best.method} explainer, gap {best.additivity_error:.1e}")
print(f"final model: {automl.final_run.learner} ({final.model_kind}), {final.method} explainer")

# A stack with a linear final estimator is explained exactly. Any other stack is explained from coalitions of its members'
# outputs. If the coalitions are sampled, the values have standard errors.
errors = final.explanation.standard_errors
print(f"why: {final.reason}")
print(f"largest standard error of a value: {0.0 if errors is None else errors.max():.3f}\n")

print(pd.DataFrame({"best trial": best.to_frame()["overall"], "ensemble": final.to_frame()["overall"]}).round(2))
