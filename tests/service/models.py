"""Models to serve: numbers and categories, a regression and a classification."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor

from automl_explain import TreeExplainer
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.service._bundle_model import BundleModel


@dataclass(frozen=True)
class Column:
    name: str
    dtype: str
    categories: tuple | None
    missing: bool


class Schema:
    def __init__(self, X, strict):
        known = {name: tuple(X[name].cat.categories) if X[name].dtype == "category" else None for name in X}
        self.columns = tuple(Column(name, str(X[name].dtype), known[name], name not in strict) for name in X)

    def read(self, rows):
        wrong = {}
        for column in self.columns:
            for cell in rows[column.name]:
                if cell is None:
                    if not column.missing:
                        wrong[column.name] = "a cell is missing, and the model has no rule for it"
                elif column.categories is not None:
                    if cell not in column.categories:
                        wrong[column.name] = f"one of the known categories was expected; got {str(cell)[:40]!r}"
                elif not isinstance(cell, int | float) or abs(cell) > 1e300:
                    wrong[column.name] = f"a number was expected, got {str(cell)[:40]!r}"
        if wrong:
            error = InvalidInputError("wrong cells")
            error.problems = wrong
            raise error


class Scorer:
    """A scoring explainer over a full explainer."""

    def __init__(self, explainer, X, fingerprint, strict=()):
        self.explainer, self.schema, self.X = explainer, Schema(X, strict), X
        self.features, self.classes = tuple(X.columns), explainer.explain_local(X.iloc[:1]).classes
        self.output_space, self.method, self.fingerprint = explainer.model.output_space, "tree", fingerprint

    def frame(self, rows):
        return pd.DataFrame({name: pd.Series(list(rows[name]), dtype=self.X[name].dtype) for name in self.features})

    def explain_local(self, rows):
        return self.explainer.explain_local(self.frame(rows))

    def predict(self, rows):
        return self.explain_local(rows).predictions

    def predict_proba(self, rows):
        if self.classes is None:
            raise InvalidInputError("a regression has no probabilities")
        return 1 / (1 + np.exp(-self.predict(rows)))

    def warm_up(self):
        pass


def table(n_rows=300):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(n_rows, 3))
    numbers[rng.random((n_rows, 3)) < 0.05] = np.nan
    made = pd.DataFrame(numbers, columns=["age", "income", "debt ratio"])
    made["town"] = pd.Categorical(rng.choice(["Aarhus", "Bonn", "Český"], n_rows))
    made["age"] = made["age"].fillna(0.0)
    return made


def classifier():
    X = table()
    y = np.where(X["age"] + (X["town"] == "Bonn") > 0.3, "yes", "no")
    return BundleModel(Scorer(TreeExplainer(_fit(LGBMClassifier, X, y), X), X, "c" * 64, strict=("age",)))


def regressor():
    X = table()
    y = X["age"] * 2 + X["income"].fillna(1.0) * (X["town"] == "Bonn")
    return BundleModel(Scorer(TreeExplainer(_fit(LGBMRegressor, X, y), X), X, "d" * 64))


def _fit(kind, X, y):
    return kind(n_estimators=20, num_leaves=7, min_child_samples=5, verbose=-1, n_jobs=1).fit(X, y)


def records(X):
    """Return rows as JSON has them."""
    return [{k: None if v != v else v for k, v in row.items()} for row in X.to_dict("records")]
