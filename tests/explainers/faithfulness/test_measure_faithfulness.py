"""Faithfulness of tables, texts and images: the masked examples are those of the definition, and bad input is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from automl_explain import (
    Explanation,
    ImageExplainer,
    InvalidInputError,
    PFIExplainer,
    TabularExplainer,
    TextExplainer,
    measure_faithfulness,
)
from automl_explain.explainers.faithfulness._examples import examples_of

RNG = np.random.default_rng(3)
X = pd.DataFrame(RNG.normal(size=(80, 5)), columns=list("abcde")).assign(kind=RNG.choice(["x", "y", "z"], 80))
Y = (X["a"] + X["b"] * (X["kind"] == "x") > 0).astype(int)
PREPARED = ColumnTransformer([("n", StandardScaler(), list("abcde")), ("c", OneHotEncoder(), ["kind"])])
MODELS = {
    "classifier": make_pipeline(PREPARED, RandomForestClassifier(8, max_depth=4, random_state=0)).fit(X, Y),
    "logistic": make_pipeline(PREPARED, LogisticRegression()).fit(X, Y),
    "regressor": make_pipeline(PREPARED, RandomForestRegressor(8, max_depth=4, random_state=0)).fit(X, Y * 5.0),
}
BACKGROUND, ROWS = X.iloc[:15], X.iloc[60:66]


@pytest.mark.parametrize("name", MODELS)
def test_absent_features_take_the_values_of_background_rows(name):
    model = MODELS[name]
    space = "probability" if hasattr(model, "predict_proba") else "auto"
    explanation = TabularExplainer(model, BACKGROUND, feature_space="raw", output=space).explain_local(ROWS)
    examples = examples_of(explanation, model, None, BACKGROUND)
    present = RNG.random((7, 6)) < 0.5
    for row in (0, 4):
        found = examples.of(row).values(present)
        for mask, outputs in zip(present, found, strict=True):
            mixed = BACKGROUND.copy()
            for column in np.flatnonzero(mask):
                mixed.isetitem(column, [ROWS.iloc[row, column]] * len(mixed))
            wanted = model.predict_proba(mixed) if space == "probability" else model.predict(mixed)[:, None]
            np.testing.assert_allclose(outputs, wanted.mean(axis=0), atol=1e-9)


@pytest.mark.parametrize("feature_space", ["raw", "engineered"])
@pytest.mark.parametrize("name", MODELS)
def test_values_beat_random_orders_and_their_opposite(name, feature_space):
    explainer = TabularExplainer(MODELS[name], BACKGROUND, feature_space=feature_space)
    explanation = explainer.explain_local(X.iloc[30:60])
    opposite = Explanation(
        -explanation.local_importance_values, explanation.expected_values, explanation.features, explanation.classes,
        explanation.output_space, "opposite", "", data=explanation.data, is_raw=explanation.is_raw, kind="local_linear",
        local_fidelity=np.ones(explanation.local_importance_values.shape[:-1]),
        intercepts=np.zeros(explanation.local_importance_values.shape[:-1]),
    )  # fmt: skip
    found, worst = (measure_faithfulness(one, MODELS[name], absent=BACKGROUND) for one in (explanation, opposite))
    assert found.unit == explanation.output_space
    assert found.num_examples == 30
    assert found.comprehensiveness["explanation"] > 2 * found.comprehensiveness["random"] > 0
    assert found.sufficiency["explanation"] < found.sufficiency["random"]
    assert found.deletion_auc["explanation"] < found.deletion_auc["random"] < worst.deletion_auc["explanation"]
    assert worst.comprehensiveness["explanation"] < found.comprehensiveness["random"]


TEXTS = ["a good film", "a bad film", "good plot, good cast", "the plot was bad", "", "fine"]
WORDS = make_pipeline(CountVectorizer(), Ridge(0.1)).fit(TEXTS, [5, 1, 6, 0, 3, 4])


def test_absent_words_are_removed_or_replaced():
    asked: list[str] = []

    def model(texts):
        asked.extend(texts)
        return np.array([len(text) for text in texts], float)

    explanation = TextExplainer(model).explain_local(["to be or"])
    asked.clear()
    present = np.array([[True, False, True], [False, False, False]])
    examples_of(explanation, model, ["to be or"], None).of(0).values(present)
    assert asked[-2:] == ["to  or", "  "]
    examples_of(explanation, model, None, "[MASK]").of(0).values(present)
    assert asked[-2:] == ["to [MASK] or", "[MASK] [MASK] [MASK]"]


def test_words_of_a_linear_model_are_as_faithful_as_leaving_one_out():
    explanation = TextExplainer(WORDS).explain_local(TEXTS)
    found = measure_faithfulness(explanation, WORDS)
    assert found.comprehensiveness["explanation"] == pytest.approx(found.comprehensiveness["leave one out"])
    assert found.comprehensiveness["explanation"] > found.comprehensiveness["random"] + 0.1
    assert found.num_examples == 5
    assert found.notes == ("1 example without players left out",)


def test_segments_of_images_are_removed():
    def brightness(images):
        return images[:, :8, :8].mean(axis=(1, 2))

    images = RNG.random((2, 16, 16))
    images[:, :8, :8] += 2.0
    explainer = ImageExplainer(brightness, absent="mean", n_segments=4)
    explanation = explainer.explain_local(images)
    found = measure_faithfulness(explanation, explainer)
    assert found.comprehensiveness["explanation"] > found.comprehensiveness["random"]
    again = measure_faithfulness(explanation, brightness, absent="mean")
    np.testing.assert_allclose(again.values, found.values)


def test_images_are_measured_by_the_class_that_is_explained():
    def of_two_classes(images):
        bright = images[:, :8, :8].mean(axis=(1, 2))
        return np.stack([bright, 1.0 - bright], axis=1)

    images = RNG.random((4, 16, 16)) * 0.2
    images[:3, :8, :8] += 0.7  # three of one class, which is the one that is explained, and one of the other
    explainer = ImageExplainer(of_two_classes, absent=np.full((16, 16), 0.5), n_segments=4, top_classes=1)
    explanation = explainer.explain_global(images)
    assert explanation.class_numbers.tolist() == [[0] * 4]
    found = measure_faithfulness(explanation, explainer, share=0.25)
    removed = np.where(
        np.arange(4) < 3, images[:, :8, :8].mean(axis=(1, 2)) - 0.5, 0.0
    )  # of the dark one another goes first
    assert found.comprehensiveness["explanation"] == pytest.approx(removed.mean(), abs=0.02)


def test_many_examples_are_drawn_by_the_seed():
    explanation = TabularExplainer(MODELS["logistic"], BACKGROUND).explain_local(X)
    few, again, other = (
        measure_faithfulness(explanation, MODELS["logistic"], absent=BACKGROUND, max_examples=9, random_state=seed)
        for seed in (0, 0, 1)
    )
    assert few.notes == ("9 of 80 examples, drawn at random",)
    np.testing.assert_array_equal(few.values, again.values)
    assert not np.array_equal(few.values, other.values)


TABLE = TabularExplainer(MODELS["logistic"], BACKGROUND, feature_space="raw").explain_local(ROWS)
TEXT = TextExplainer(WORDS).explain_local(TEXTS)


@pytest.mark.parametrize(
    ("given", "named", "said"),
    [
        ((TABLE, MODELS["logistic"]), {}, "'absent' parameter must be the background rows"),
        ((TABLE, MODELS["regressor"]), {"absent": BACKGROUND}, "log_odds|1 output"),
        (
            (TABLE.select(features=["a"]), MODELS["logistic"]),
            {"absent": BACKGROUND},
            "each of the 6 features.*Got values of 1 feature",
        ),
        (
            (TABLE, MODELS["logistic"], X.iloc[:4]),
            {"absent": BACKGROUND},
            "must be the 6 rows of the explanation. Got 4",
        ),
        ((TABLE, MODELS["logistic"]), {"absent": BACKGROUND, "share": 0}, "'share' parameter.*Got 0"),
        ((TABLE, MODELS["logistic"]), {"absent": BACKGROUND, "n_random": 0}, "'n_random' parameter.*Got 0"),
        ((TABLE, MODELS["logistic"]), {"absent": BACKGROUND, "max_examples": 1.5}, "'max_examples' parameter.*Got 1.5"),
        ((TEXT, WORDS, TEXTS[:2]), {}, "'data' parameter must be the 6 texts"),
        ((TEXT, WORDS), {"absent": 3}, "'absent' parameter must be a text"),
        ((TEXT, lambda texts: np.full((len(texts), 2), 0.5)), {}, "response|2 outputs"),
        ((TEXT[4], WORDS), {}, "an example with a player"),
        (("words", WORDS), {}, "must be an Explanation, TextExplanation or ImageExplanation. Got str"),
    ],
    ids=range(12),
)
def test_bad_input_is_one_typed_error(given, named, said):
    with pytest.raises(InvalidInputError, match=said):
        measure_faithfulness(*given, **named)


def test_explanations_without_rows_are_refused():
    explanation = PFIExplainer(MODELS["logistic"]).explain_global(X, true_labels=Y)
    with pytest.raises(InvalidInputError, match="values of single rows"):
        measure_faithfulness(explanation, MODELS["logistic"], absent=BACKGROUND)
