"""A table, a FLAML search of it that is explained, and what its model predicts by FLAML alone."""

import numpy as np
import pandas as pd

from automl_explain.integrations.flaml import AutoML


def clients(n=160, seed=0):
    """A table with what real ones have: categories, text, dates, gaps, a constant, an id."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n).astype(float),
            "income": rng.normal(50, 10, n),
            "job": rng.choice(["clerk", "nurse", "smith"], n),
            "plan": pd.Categorical(rng.choice(["a", "b"], n)),
            "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "country": "NL",
            "client": [f"c{i}" for i in range(n)],
        }
    )
    frame.loc[rng.choice(n, 12, replace=False), "income"] = np.nan
    frame.loc[rng.choice(n, 9, replace=False), "job"] = None
    score = frame["age"] / 20 + frame["income"].fillna(50) / 20 + (frame["job"] == "nurse") * 2
    return frame, score + rng.normal(0, 0.3, n)


def labels(score, n_classes):
    names = np.array(["bad", "fair", "good"][:n_classes])
    return pd.Series(names[np.digitize(score, np.quantile(score, np.linspace(0, 1, n_classes + 1)[1:-1]))])


def fit(task, learners, X, y, **settings):
    automl = AutoML(model_explainability=True, explainability_options={"max_rows": 40, "background": 30, "n_jobs": 1})
    automl.fit(
        X, y, task=task, estimator_list=learners, **{"max_iter": len(learners), "verbose": 0, "seed": 1} | settings
    )
    return automl


def own_output(automl, X, space):
    """The model's output from FLAML and the library alone."""
    rows = automl.preprocess(X)
    wrapper = automl.model
    if space == "response":
        return np.asarray(automl.predict(X), dtype=float)[:, None]
    probability = wrapper.predict_proba(rows)
    if space == "probability":
        return probability
    inner, prepared = wrapper.estimator, wrapper.preprocess(rows)
    name = type(inner).__name__
    if name.startswith("LGBM"):
        margin = inner.predict(prepared, raw_score=True)
    elif name.startswith("XGB"):
        margin = inner.predict(prepared, output_margin=True)
    elif name.startswith("CatBoost"):
        margin = inner.predict(prepared, prediction_type="RawFormulaVal")
    else:
        margin = inner.decision_function(prepared)
    return np.column_stack([-margin, margin]) if np.ndim(margin) == 1 else np.asarray(margin)
