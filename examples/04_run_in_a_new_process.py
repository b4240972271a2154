"""4. Retrieve the explanation of a run by its id, in another process at any later time.

Run: python examples/04_run_in_a_new_process.py
"""

import subprocess
import sys
import tempfile

from sklearn.datasets import load_iris

from automl_explain.integrations.flaml import AutoML

# By default, runs are kept in your user data folder. Here they go to a temporary directory.
history = tempfile.mkdtemp(prefix="runs-")

iris = load_iris(as_frame=True)
X, y = iris.data, iris.target.map(dict(enumerate(iris.target_names.tolist())))
automl = AutoML(model_explainability=True, history=history)
automl.fit(X, y, task="classification", estimator_list=["lgbm"], max_iter=4, time_budget=60, verbose=0, seed=0)
print(f"this process stored run {automl.best_run.id}\n")

# Another process needs only the directory and the id. It has neither the model nor the data.
elsewhere = """
import sys
from automl_explain import RunHistory, retrieve_model_explanation

explained = retrieve_model_explanation(sys.argv[2], history=RunHistory(sys.argv[1]))
shap_values, expected_values, overall_summary, overall_imp, per_class_summary, per_class_imp = explained
print(f"another process found run {explained.run_id}: {len(shap_values)} classes, {len(shap_values[0])} rows")
print(explained.to_frame().round(3))
"""
subprocess.run([sys.executable, "-c", elsewhere, history, automl.best_run.id], check=True)

# The command line does the same.
print(f"\nautoml-explain show --history {history} {automl.best_run.id}")
subprocess.run(
    [sys.executable, "-m", "automl_explain.cli", "show", "--history", history, automl.best_run.id], check=True
)
