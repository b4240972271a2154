"""
In which direction a column works
=================================

:func:`~automl_explain.plot_dependence` draws the contribution of a column over its values. Colours show the column that interacts
most with it. Categories have a strip each.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor

from automl_explain import explain_model, plot_dependence

rng = np.random.default_rng(0)
flats = pd.DataFrame(
    {
        "area": rng.normal(70, 20, 800).clip(20, 160).round(),
        "district": pd.Categorical(
            rng.choice(["centre", "harbour", "hills", "north"], 800)
        ),
        "floor": rng.integers(0, 8, 800),
    }
)
premium = (
    flats["district"]
    .map({"centre": 6.0, "harbour": 2.0, "hills": 4.0, "north": 0.0})
    .astype(float)
)
rent = (
    300
    + flats["area"] * (8 + premium)
    + 12 * flats["floor"]
    + rng.normal(0, 40, 800)
)
model = LGBMRegressor(n_estimators=80, verbose=-1).fit(flats, rent)
explained = explain_model(model, flats, flats)

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
plot_dependence(explained, "area", ax=left, color_by="floor")
plot_dependence(explained, "district", ax=right)
