"""2. Explain any fitted model: here a pipeline, in the raw columns of its table.

Run: python examples/02_any_fitted_model.py
"""

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from automl_explain import explain_model

# Rents of flats: the price per square metre depends on the district.
rng = np.random.default_rng(0)
flats = pd.DataFrame({"size": rng.uniform(20, 120, 600), "district": rng.choice(["centre", "north", "south"], 600)})
rate = flats["district"].map({"centre": 20.0, "north": 12.0, "south": 10.0})
rent = flats["size"] * rate + rng.normal(0, 50, 600)

one_hot = ColumnTransformer([("district", OneHotEncoder(), ["district"])], remainder="passthrough")
model = Pipeline([("one_hot", one_hot), ("trees", LGBMRegressor(n_estimators=80, verbose=-1, n_jobs=1))])
model.fit(flats, rent)

# The first table is the background, which stands in for absent features. The second holds the rows to explain.
explained = explain_model(model, flats[:400], flats[400:], feature_space="raw")

print(f"method: {explained.method}, because it is {explained.reason}")
print(f"mean prediction over the background: {explained.expected_values[0]:.0f}\n")
print(explained.to_frame().round(1), "\n")

# The values of a row say how far each column moves the prediction from the mean. Mean and values add up to the prediction.
row = explained.explanation[0]
total = explained.expected_values[0] + row.local_importance_values.sum()
print(flats.iloc[400].to_dict())
print(row.to_frame().round(1).to_string(index=False))
print(f"mean + values = {total:.1f}; the model predicts {model.predict(flats[400:401])[0]:.1f}")
