"""6. A search that a file configures: Optuna over two learners, with cross-validation and an ensemble.

Run: python examples/06_configuration.py
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from automl_explain import AutoMLConfig, Experiment, retrieve_model_explanation

rng = np.random.default_rng(0)
houses = pd.DataFrame({"size": rng.normal(120, 30, 200), "district": rng.choice(["north", "south", None], 200)})
houses["price"] = 3 * houses["size"] + 80 * (houses["district"] == "south") + rng.normal(0, 20, 200)
folder = Path(tempfile.mkdtemp(prefix="houses-"))
houses.to_csv(folder / "houses.csv", index=False)

# Arguments replace settings of the file. They are needed here only because data and history are in another folder.
config = AutoMLConfig.from_file(
    Path(__file__).with_suffix(".toml"), data=str(folder / "houses.csv"), history=folder / "runs"
)
print("\n".join(config.said))

run = Experiment("houses").submit(config)
for one in run.runs:
    print(f"{one.learner:20} {one.status:10} loss {one.loss}")

best_run, fitted_model = run.get_output()
print(f"best: {best_run.learner}, {', '.join(retrieve_model_explanation(best_run).overall_imp)}")
final = retrieve_model_explanation(run)  # explains the fitted model, here the ensemble
print(f"{final.model_kind}: {final.explanation.get_feature_importance_dict()}")
house = pd.DataFrame({"size": [100.0], "district": ["south"]})
print(f"price of 100 square metres in the south: {fitted_model.predict(house)[0]:.0f}")
