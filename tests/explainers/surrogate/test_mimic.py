"""MimicExplainer: common tests of the four surrogates, custom surrogates, and invalid input."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from automl_explain import (
    DecisionTreeExplainableModel,
    Explanation,
    InvalidInputError,
    LGBMExplainableModel,
    LinearExplainableModel,
    MimicExplainer,
    SamplingOptions,
    TabularExplainer,
)
from automl_explain.explainers.explanation._fidelity import measure_fidelity
from tests.explainers.surrogate.teachers import Nearest, colour_decides, mixed, numbers, response, thin, three_classes
from tests.oracles import model_game, shapley_values


def test_values_are_the_shapley_values_of_the_surrogate(surrogate, teacher):
    X = numbers()
    explainer = MimicExplainer(teacher, X, surrogate)
    explanation = explainer.explain_local(X[:3])
    assert explanation.method == "mimic"
    assert explanation.additivity_error < 1e-9 * max(1.0, np.abs(explanation.predictions).max())
    own = explainer.model.predict(X)
    np.testing.assert_allclose(explanation.expected_values, own.mean(axis=0), rtol=1e-9)
    few = MimicExplainer(teacher, X[:12], surrogate)
    expected = shapley_values(model_game(few.model.predict, X[:1], X[:12]), 5)
    values = np.asarray(few.explain_local(X[:1]).local_importance_values).reshape(-1, 5)
    np.testing.assert_allclose(values, expected, atol=1e-9 * max(1.0, np.abs(own).max()))


def test_fidelity_is_that_of_rows_kept_from_training(surrogate, teacher):
    X = numbers(1000)
    explainer = MimicExplainer(teacher, X, surrogate)
    fidelity = explainer.fidelity
    assert (fidelity.n_rows, fidelity.held_out) == (200, True)
    answers = np.asarray(teacher(X)).reshape(len(X), -1)
    gaps = (answers - explainer.model.predict(X)) ** 2
    everywhere = 1 - gaps.sum() / ((answers - answers.mean(axis=0)) ** 2).sum()
    assert fidelity.r2 == pytest.approx(everywhere, abs=0.08)
    assert fidelity.r2 > 0.8
    assert (fidelity.agreement is None) == (teacher is response)
    assert teacher is response or (fidelity.agreement > 0.85 and 0 <= fidelity.kl_divergence < 0.25)
    explanation = explainer.explain_local(X[:2])
    assert explanation.fidelity == fidelity
    assert explanation.notes[0] == f"fidelity: {fidelity}"
    assert f"R2 {fidelity.r2:.3f}" in explanation._repr_html_()


def test_global_values_mean_the_same_with_and_without_evaluation_data(surrogate, teacher):
    X = numbers()
    explainer = MimicExplainer(teacher, X, surrogate)
    without, given = explainer.explain_global(), explainer.explain_global(X)
    assert np.array_equal(without.global_importance_values, given.global_importance_values)
    streamed = explainer.explain_global(include_local=False, batch_size=33)
    np.testing.assert_allclose(streamed.global_importance_values, given.global_importance_values, rtol=1e-9)
    assert streamed.fidelity == given.fidelity
    assert given.get_ranked_global_names(top_k=2) == [0, 1]


def test_the_second_call_explains_the_second_table(surrogate):
    X = numbers()
    explainer = MimicExplainer(three_classes, X, surrogate)
    first, second = explainer.explain_global(X[:50]), explainer.explain_global(X[50:120] * 2)
    alone = MimicExplainer(three_classes, X, surrogate).explain_global(X[50:120] * 2)
    assert first.num_examples == 50
    assert np.array_equal(second.local_importance_values, alone.local_importance_values)


@pytest.mark.parametrize("row", [lambda X: X[:1], lambda X: X[0]], ids=["2-D", "1-D"])
def test_one_row(surrogate, row):
    X = numbers()
    explainer = MimicExplainer(three_classes, X, surrogate)
    one = explainer.explain_local(row(X)).local_importance_values
    assert one.shape == (3, 1, 5)
    np.testing.assert_allclose(one, explainer.explain_local(X[:4]).local_importance_values[:, :1], atol=1e-12)


@pytest.mark.parametrize("n_rows", [1, 3])
def test_a_few_initialization_examples_are_enough_to_run(surrogate, n_rows):
    X = numbers(n_rows)
    explainer = MimicExplainer(response, X, surrogate)
    assert not explainer.fidelity.held_out
    assert explainer.explain_local(X).additivity_error < 1e-9 * 1000
    assert "training rows" in str(explainer.fidelity)


def test_a_teacher_that_says_one_thing(surrogate):
    X = numbers()
    explainer = MimicExplainer(lambda rows: np.full(len(rows), 7.0), X, surrogate)
    explanation = explainer.explain_local(X)
    np.testing.assert_allclose(explanation.local_importance_values, 0.0, atol=1e-9)
    np.testing.assert_allclose(explanation.expected_values, 7.0)
    assert explainer.fidelity.r2 == 1.0


def test_rare_classes_are_imitated(surrogate):
    X, y = make_classification(1500, 6, n_informative=3, n_redundant=0, weights=[0.95], class_sep=2.0, random_state=0)
    model = LogisticRegression().fit(X, y)
    explainer = MimicExplainer(model, X, surrogate)
    explanation = explainer.explain_global(X)
    assert explanation.classes == (0, 1)
    assert explainer.fidelity.agreement > 0.95
    exact = TabularExplainer(model, X, sampling=SamplingOptions(nsamples=64), output="probability").explain_global(
        X[:100]
    )
    assert explanation.get_ranked_global_names(1) == exact.get_ranked_global_names(1)


def test_columns_of_every_kind(surrogate):
    frame = mixed()
    explainer = MimicExplainer(colour_decides, frame, surrogate)
    explanation = explainer.explain_global()
    assert explanation.features == tuple(frame.columns)
    assert explanation.local_importance_values.shape == frame.shape
    assert explanation.get_ranked_global_names(top_k=1) == ["colour"]
    assert explainer.fidelity.r2 > (0.97 if surrogate is LGBMExplainableModel else 0.9)
    unseen = frame.iloc[:5].assign(colour="violet", place="nowhere")
    assert np.isfinite(explainer.explain_local(unseen).local_importance_values).all()
    shuffled = explainer.explain_local(frame[frame.columns[::-1]].iloc[:5])
    np.testing.assert_allclose(shuffled.local_importance_values, explanation.local_importance_values[:5], atol=1e-12)


def test_object_arrays_are_read_as_frames_are(surrogate):
    frame = mixed()[["size", "colour"]]

    def teacher(rows):
        return colour_decides(pd.DataFrame(np.asarray(rows, dtype=object), columns=["size", "colour"]))

    values = MimicExplainer(teacher, frame, surrogate).explain_local(frame).local_importance_values
    array = frame.to_numpy(dtype=object)
    again = MimicExplainer(teacher, array, surrogate).explain_local(array).local_importance_values
    np.testing.assert_allclose(again, values, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("space", ["probability", "log_odds"])
def test_the_output_space_asked_for_is_imitated(surrogate, space):
    X = numbers()
    model = LogisticRegression().fit(X, X[:, 0] + 0.5 * X[:, 1] > 0)
    explainer = MimicExplainer(model, X, surrogate, output=space)
    wanted = model.predict_proba(X) if space == "probability" else model.decision_function(X)[:, None] * [-1, 1]
    explanation = explainer.explain_local(X)
    assert explanation.output_space == space
    assert explainer.fidelity.r2 == pytest.approx(1 - ((explanation.predictions - wanted) ** 2).sum()
                                                  / ((wanted - wanted.mean(axis=0)) ** 2).sum(), abs=0.1)  # fmt: skip
    assert (explainer.fidelity.kl_divergence is None) == (space != "probability")


@pytest.mark.parametrize("feature_space", ["engineered", "raw"])
def test_the_columns_of_a_pipeline(surrogate, feature_space):
    frame = mixed()[["size", "colour"]].dropna()
    steps = make_column_transformer((StandardScaler(), ["size"]), (OneHotEncoder(), ["colour"]))
    model = make_pipeline(steps, RandomForestClassifier(20, random_state=0)).fit(frame, colour_decides(frame) > 0)
    explanation = MimicExplainer(model, frame, surrogate, feature_space=feature_space).explain_global()
    assert explanation.num_features == (2 if feature_space == "raw" else 5)
    raw = explanation.get_raw_explanation()
    assert raw.get_ranked_global_names() == ["colour", "size"]


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")  # of scikit-learn 1.9
def test_the_order_of_the_columns_of_iris():
    data = load_iris()
    features = [name.removesuffix(" (cm)") for name in data.feature_names]
    train, test, labels, _ = train_test_split(data.data, data.target, test_size=0.2, random_state=7)
    model = SVC(gamma=0.001, C=100, probability=True, random_state=777).fit(train, labels)
    order = ["petal length", "petal width", "sepal length", "sepal width"]
    explanation = TabularExplainer(model, train, features=features).explain_global(test)
    assert explanation.get_ranked_global_names() == order
    assert [explanation.get_ranked_global_names(k) for k in (1, 2, 3)] == [order[:k] for k in (1, 2, 3)]
    mimic = MimicExplainer(model, train, LGBMExplainableModel, features=features).explain_global(test)
    assert mimic.get_ranked_global_names(top_k=2) == order[:2]


def test_the_same_seed_gives_the_same_values(surrogate):
    X = numbers()
    values = [MimicExplainer(three_classes, X, surrogate, random_state=5).explain_local(X[:5]) for _ in range(2)]
    assert np.array_equal(values[0].local_importance_values, values[1].local_importance_values)


def test_fidelity_is_saved_with_the_explanation(tmp_path):
    X = numbers()
    explanation = MimicExplainer(three_classes, X, LinearExplainableModel).explain_local(X[:3])
    explanation.save(tmp_path / "mimic.explanation")
    assert Explanation.load(tmp_path / "mimic.explanation").fidelity == explanation.fidelity


def test_fidelity_by_hand():
    teacher = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    assert measure_fidelity(teacher, teacher, "probability", True).kl_divergence == pytest.approx(0.0, abs=1e-5)
    flat = np.full((3, 2), 0.5)
    fidelity = measure_fidelity(teacher, flat, "probability", True)
    expected = (0 + 0.25 * np.log(0.5) + 0.75 * np.log(1.5) + np.log(2.0)) / 3
    assert fidelity.kl_divergence == pytest.approx(expected)
    assert fidelity.agreement == pytest.approx(2 / 3)
    assert measure_fidelity(teacher, np.tile(teacher.mean(axis=0), (3, 1)), "margin", True).r2 == pytest.approx(0.0)


def test_a_surrogate_without_structure_is_explained_from_its_predictions():
    X = numbers(60)
    explanation = MimicExplainer(three_classes, X, Nearest).explain_local(X[:2])
    assert "nothing is known of the structure of Nearest" in explanation.reason
    assert explanation.additivity_error < 1e-9


def test_parameters_of_the_surrogate():
    X = numbers()
    stump = MimicExplainer(response, X, DecisionTreeExplainableModel, explainable_model_args={"max_leaf_nodes": 2})
    assert len(np.unique(stump.model.predict(X))) == 2
    with pytest.raises(InvalidInputError, match="must hold parameters of LinearExplainableModel.*num_leaves"):
        MimicExplainer(response, X, LinearExplainableModel, explainable_model_args={"num_leaves": 2})


class TestRefused:
    X = numbers()

    def test_an_instance_in_place_of_a_class(self, surrogate):
        with pytest.raises(InvalidInputError, match=f"must be a class.*Got an instance: pass {surrogate.__name__}"):
            MimicExplainer(response, self.X, surrogate())

    @pytest.mark.parametrize("thing", [LogisticRegression, "lightgbm", None])
    def test_what_is_no_surrogate(self, thing):
        with pytest.raises(InvalidInputError, match="another subclass of ExplainableModel"):
            MimicExplainer(response, self.X, thing)

    def test_a_sparse_table_for_a_surrogate_that_takes_none(self):
        with pytest.raises(InvalidInputError, match="Nearest takes no sparse tables"):
            MimicExplainer(lambda rows: rows @ np.ones(40), thin(), Nearest)

    def test_text_where_numbers_were(self, surrogate):
        frame = mixed()
        explainer = MimicExplainer(colour_decides, frame, surrogate)
        with pytest.raises(InvalidInputError, match=r"Column 'size' must hold numbers.*Got 'big'"):
            explainer.explain_local(frame.iloc[:3].assign(size="big"))

    def test_the_wrong_number_of_classes(self, surrogate):
        with pytest.raises(InvalidInputError, match=r"must name 3 classes.*Got 2"):
            MimicExplainer(three_classes, self.X, surrogate, classes=["a", "b"])

    def test_predictions_that_are_not_numbers(self, surrogate):
        with pytest.raises(InvalidInputError, match="NaN or infinite"):
            MimicExplainer(lambda rows: np.where(rows[:, 0] > 0, np.nan, 1.0), self.X, surrogate)

    def test_a_number_of_augmentations_that_is_none(self):
        with pytest.raises(InvalidInputError, match="must be a whole number. Got 'ten'"):
            MimicExplainer(response, self.X, LinearExplainableModel, max_num_of_augmentations="ten")
