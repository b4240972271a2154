"""What a model or its preprocessing makes of a table has one row for each of its rows, or is refused."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from automl_explain import (
    InvalidInputError,
    KernelExplainer,
    LGBMExplainableModel,
    LIMEExplainer,
    MimicExplainer,
    PFIExplainer,
    TabularExplainer,
    TextExplanation,
    explain_model,
)

TEXTS = ["good film", "bad film", "good book", "bad book", "fine good", "poor bad"]
LABELS = [1, 0, 1, 0, 1, 0]
READER = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
FRAME = pd.DataFrame({"text": TEXTS})
FORMS = {
    "frame": FRAME,
    "frame of one row": FRAME[:1],
    "frame with as many rows as columns": pd.DataFrame([TEXTS[:2], TEXTS[2:4]], columns=["a", "b"]),
    "series": FRAME["text"],
    "series of one": FRAME["text"][:1],
    "list": TEXTS,
    "array": np.array(TEXTS),
    "array of objects": np.array(TEXTS, dtype=object),
    "column": FRAME.to_numpy(),
}
DOCUMENTS = ("frame", "frame of one row", "series", "series of one", "list", "array", "array of objects", "column")
"""Forms that `explain_model` takes for texts."""
WAYS = {
    "tabular": lambda model, X: TabularExplainer(model, X).explain_local(X),
    "kernel": lambda model, X: KernelExplainer(model, X).explain_local(X),
    "function": lambda model, X: KernelExplainer(model.predict_proba, X).explain_local(X),
    "raw": lambda model, X: explain_model(model, X, X, feature_space="raw"),
    "lime": lambda model, X: LIMEExplainer(model, X, nsamples=20).explain_local(X),
    "mimic": lambda model, X: MimicExplainer(model, X, LGBMExplainableModel).explain_local(X),
    "pfi": lambda model, X: PFIExplainer(model).explain_global(X, LABELS),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", WAYS)
def test_texts_without_a_column_are_refused_in_every_form(way, form):
    if way == "raw" and form in DOCUMENTS:
        assert isinstance(WAYS[way](READER, FORMS[form]).explanation, TextExplanation)  # which is what they are
        return
    with pytest.raises(InvalidInputError):
        WAYS[way](READER, FORMS[form])


def test_the_refusal_says_how_many_rows_came_back_and_what_to_do():
    with pytest.raises(InvalidInputError, match=r"Got 1 for 6 rows.*ColumnTransformer"):
        TabularExplainer(READER, FRAME)


def test_a_column_of_texts_is_explained_row_by_row():
    words = ColumnTransformer([("words", TfidfVectorizer(), "text")])
    model = make_pipeline(words, LogisticRegression()).fit(FRAME, LABELS)
    for rows in (FRAME, FRAME[:1]):
        explanation = explain_model(model, FRAME, rows).explanation
        assert explanation.num_examples == len(rows)
        raw = explain_model(model, FRAME, rows, feature_space="raw").explanation
        np.testing.assert_allclose(raw.predictions, model.decision_function(rows)[:, None] * [-1, 1])


class Drops(TransformerMixin, BaseEstimator):
    """A transformer that loses a row."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X[:-1] if len(X) > 10 else X


class Forgets(ClassifierMixin, BaseEstimator):
    """A classifier that answers for fewer rows than it was asked for."""

    def fit(self, X, y):
        self.classes_, self.n_features_in_ = np.unique(y), X.shape[1]
        return self

    def predict_proba(self, X):
        second = 1 / (1 + np.exp(-X[: max(1, len(X) - 1), 0]))
        return np.column_stack([1 - second, second])

    def predict(self, X):
        return (self.predict_proba(X)[:, 1] > 0.5).astype(int)


X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)
SHORT = {
    "preprocessing": make_pipeline(Drops().fit(X), LogisticRegression().fit(X, Y)),
    "model": Forgets().fit(X, Y),
    "member": VotingClassifier([("a", Forgets()), ("b", Forgets())], voting="soft").fit(X, Y),
}


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize("way", [way for way in WAYS if way != "pfi"])
def test_a_model_that_loses_rows_is_refused(way, name):
    with pytest.raises(InvalidInputError, match="must return one row "):
        WAYS[way](SHORT[name], X)
