"""Common checks on every family of models, and errors for invalid input."""

import warnings

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression

from automl_explain import (
    AdditivityError,
    ColumnMismatchError,
    FittedModel,
    InvalidInputError,
    KernelExplainer,
    Linear,
    LinearExplainer,
    NotFittedError,
    SamplingOptions,
    TabularExplainer,
    TreeExplainer,
    UnsupportedModelError,
    describe,
)
from tests.families import FAMILIES, table, target
from tests.oracles import model_game, shapley_values


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def family(request):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model, X = request.param.fitted()
    return request.param, model, X


def take(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def predictions(model, X, space):
    """Return the library's own outputs, independent of the readers."""
    if space == "probability":
        return model.predict_proba(X)
    if space == "response":
        return np.asarray(model.predict(X))[:, None]
    name = type(model).__name__
    if name == "LGBMClassifier":
        margin = model.predict(X, raw_score=True)
    elif name == "XGBClassifier":
        margin = model.predict(X, output_margin=True)
    else:
        margin = model.decision_function(X)
    margin = np.asarray(margin, dtype=float)
    return np.column_stack([-margin, margin]) if margin.ndim == 1 else margin


def test_values_add_up_to_the_librarys_own_prediction(family):
    expected, model, X = family
    rows = take(X, slice(0, 7))
    explanation = TabularExplainer(model, X).explain_local(rows)
    assert explanation.method == (expected.method or explanation.method)
    assert explanation.output_space == (expected.space or explanation.output_space)
    total = explanation.local_importance_values.sum(axis=-1)
    total = (total.T if expected.task != "regression" else total[:, None]) + explanation.expected_values
    np.testing.assert_allclose(total, predictions(model, rows, explanation.output_space), atol=expected.atol)
    assert explanation.additivity_error <= max(expected.atol, 1e-6)
    if not explanation.notes:
        mean = predictions(model, X, explanation.output_space).mean(axis=0)
        np.testing.assert_allclose(explanation.expected_values, mean, atol=max(expected.atol, 1e-6))


def test_values_are_the_shapley_values_by_definition(family):
    expected, model, X = family
    if expected.name.startswith("pipeline"):
        pytest.skip("raw and engineered columns differ; see test_pipeline")
    background, row = take(X, slice(0, 12)), take(X, slice(50, 51))
    explanation = TabularExplainer(model, background).explain_local(row)
    game = model_game(lambda rows: predictions(model, rows, explanation.output_space), row, background)
    values = np.asarray(explanation.local_importance_values).reshape(-1, 5)
    np.testing.assert_allclose(values, shapley_values(game, 5), atol=max(expected.atol, 1e-9))


def test_names_classes_and_shapes_line_up(family):
    expected, model, X = family
    explanation = TabularExplainer(model, X).explain_local(take(X, slice(0, 3)))
    n_features = explanation.num_features
    if expected.task == "regression":
        assert explanation.classes is None
        assert explanation.local_importance_values.shape == (3, n_features)
    else:
        assert list(explanation.classes) == list(model.classes_)
        assert explanation.local_importance_values.shape == (len(model.classes_), 3, n_features)
    if hasattr(X, "columns") and not expected.name.startswith("pipeline"):
        assert list(explanation.features) == list(X.columns)
    names, values = explanation.get_ranked_global_names(), explanation.get_ranked_global_values()
    order = explanation.features or tuple(range(n_features))
    for name, value in zip(names, values, strict=True):
        assert value == explanation.global_importance_values[order.index(name)]


def test_one_row_gives_the_row_of_many(family):
    _, model, X = family
    explainer = TabularExplainer(model, X)
    many = explainer.explain_local(take(X, slice(0, 4))).local_importance_values
    one = explainer.explain_local(take(X, slice(2, 3))).local_importance_values
    np.testing.assert_allclose(one[..., 0, :], many[..., 2, :], atol=1e-12)


@pytest.mark.parametrize("space", ["probability", "log_odds"])
def test_another_output_space_is_a_game_of_its_own(space):
    X, model = table(), None
    model = RandomForestClassifier(n_estimators=5, max_depth=3, random_state=0).fit(X, target(X, "binary"))
    logistic = LogisticRegression().fit(X, target(X, "binary"))
    for fitted in (model, logistic):
        background, row = X[:8], X[40:41]
        explanation = TabularExplainer(fitted, background, output=space).explain_local(row)
        outputs = {
            "probability": fitted.predict_proba,
            "log_odds": lambda rows, m=fitted: (
                np.log(np.clip(m.predict_proba(rows), 1e-12, 1 - 1e-12))
                - np.log(np.clip(1 - m.predict_proba(rows), 1e-12, 1 - 1e-12))
            ),
        }
        expected = shapley_values(model_game(outputs[space], row, background), 5)
        np.testing.assert_allclose(explanation.local_importance_values[:, 0], expected, atol=1e-9)
        assert explanation.output_space == space


def test_a_predict_function_is_enough():
    X = table()
    regression = TabularExplainer(lambda rows: rows[:, 0] * 3 + rows[:, 1] ** 2, X[:20]).explain_local(X[:4])
    np.testing.assert_allclose(regression.local_importance_values[:, 0], 3 * (X[:4, 0] - X[:20, 0].mean()), atol=1e-9)
    model = LogisticRegression().fit(X, target(X, "multiclass"))
    classes = TabularExplainer(model.predict_proba, X[:20], classes=["low", "mid", "high"]).explain_local(X[:4])
    assert classes.classes == ("low", "mid", "high")
    assert classes.output_space == "probability"


def test_the_kernel_agrees_with_the_exact_explainers_and_says_its_error():
    X = table("frame", 200)
    model = RandomForestRegressor(n_estimators=10, random_state=0).fit(X, target(X, "regression"))
    exact = TreeExplainer(model, X[:30]).explain_local(X[:5])
    kernel = KernelExplainer(model, X[:30]).explain_local(X[:5])
    np.testing.assert_allclose(kernel.local_importance_values, exact.local_importance_values, atol=1e-9)
    assert kernel.standard_errors is None
    sampled = KernelExplainer(model, X[:30], sampling=SamplingOptions(nsamples=20)).explain_local(X[:5])
    assert sampled.standard_errors.shape == exact.local_importance_values.shape
    assert sampled.additivity_error < 1e-9


def test_results_do_not_depend_on_how_rows_are_grouped_nor_on_threads():
    X = table(n=300)
    model = RandomForestRegressor(n_estimators=10, random_state=0).fit(X, target(X, "regression"))
    whole = TabularExplainer(model, X, n_jobs=2).explain_local(X).local_importance_values
    parts = [
        TabularExplainer(model, X, n_jobs=1).explain_local(X[i : i + 70]).local_importance_values
        for i in range(0, 300, 70)
    ]
    assert np.array_equal(whole, np.vstack(parts))


def test_sparse_tables_are_explained_as_dense_ones():
    X = np.where(np.abs(table()) > 0.8, table(), 0.0)
    model = LogisticRegression().fit(X, target(X, "binary"))
    dense = TabularExplainer(model, X).explain_local(X[:5])
    thin = TabularExplainer(model, sparse.csr_matrix(X)).explain_local(sparse.csr_matrix(X[:5]))
    np.testing.assert_allclose(thin.local_importance_values, dense.local_importance_values, atol=1e-12)
    kernel = KernelExplainer(model.predict_proba, sparse.csr_matrix(X[:20])).explain_local(sparse.csr_matrix(X[:2]))
    np.testing.assert_allclose(
        kernel.local_importance_values,
        KernelExplainer(model.predict_proba, X[:20]).explain_local(X[:2]).local_importance_values,
        atol=1e-12,
    )


def test_global_explanations_in_batches_mean_the_same():
    X = table(n=200)
    model = RandomForestClassifier(n_estimators=6, random_state=0).fit(X, target(X, "multiclass"))
    explainer = TabularExplainer(model, X)
    whole = explainer.explain_global(X)
    batches = explainer.explain_global(X, include_local=False, batch_size=33)
    np.testing.assert_allclose(batches.global_importance_values, whole.global_importance_values, atol=1e-12)
    np.testing.assert_allclose(batches.get_ranked_per_class_values(), whole.get_ranked_per_class_values(), atol=1e-12)
    assert explainer.explain_global(X, sampling_policy=50).num_examples == 50
    with pytest.raises(InvalidInputError, match="no local importance values"):
        batches.get_ranked_local_names()


def test_columns_are_matched_by_name():
    X = table("frame")
    model = RandomForestRegressor(n_estimators=5, random_state=0).fit(X, target(X, "regression"))
    explainer = TabularExplainer(model, X)
    shuffled = explainer.explain_local(X[X.columns[::-1]].assign(extra=1.0).iloc[:5])
    straight = explainer.explain_local(X.iloc[:5])
    assert np.array_equal(shuffled.local_importance_values, straight.local_importance_values)


class TestRefused:
    X = table("frame")
    y = target(X, "regression")

    def test_a_misspelt_column(self):
        explainer = TabularExplainer(LinearRegression().fit(self.X, self.y), self.X)
        with pytest.raises(ColumnMismatchError, match=r"'ago' is not in the training data\. Did you mean 'age'"):
            explainer.explain_local(self.X.rename(columns={"age": "ago"}))

    def test_another_number_of_columns(self):
        explainer = TabularExplainer(LinearRegression().fit(self.X.to_numpy(), self.y), self.X.to_numpy())
        with pytest.raises(ColumnMismatchError, match=r"must have 5 columns.*Got 4"):
            explainer.explain_local(self.X.to_numpy()[:, :4])

    def test_an_unfitted_model(self):
        for model in (LinearRegression(), RandomForestRegressor()):
            with pytest.raises(NotFittedError, match="not fitted"):
                TabularExplainer(model, self.X)

    @pytest.mark.parametrize("thing", [object(), 3, "model", [1]])
    def test_a_thing_without_predictions(self, thing):
        with pytest.raises(UnsupportedModelError, match="no predict"):
            TabularExplainer(thing, self.X)

    def test_the_wrong_number_of_classes(self):
        model = LogisticRegression().fit(self.X, target(self.X, "multiclass"))
        with pytest.raises(
            InvalidInputError, match=r"must name 3 classes \(the model predicts 3\)\. Got 2: \['a', 'b'\]"
        ):
            TabularExplainer(model, self.X, classes=["a", "b"])
        with pytest.raises(InvalidInputError, match="is a regression"):
            TabularExplainer(LinearRegression().fit(self.X, self.y), self.X, classes=["a", "b"])

    def test_the_wrong_number_of_features(self):
        model = LinearRegression().fit(self.X.to_numpy(), self.y)
        with pytest.raises(InvalidInputError, match="must name 5 features"):
            TabularExplainer(model, self.X.to_numpy(), features=["a"])

    def test_an_output_space_that_the_model_lacks(self):
        model = LinearRegression().fit(self.X, self.y)
        with pytest.raises(InvalidInputError, match=r"'auto' or one of \['response'\].*Got 'probability'"):
            TabularExplainer(model, self.X, output="probability")

    def test_an_explainer_for_another_structure(self):
        model = LinearRegression().fit(self.X, self.y)
        with pytest.raises(UnsupportedModelError, match=r"Trees or OwnValues; LinearRegression .* is Linear"):
            TreeExplainer(model, self.X)
        with pytest.raises(UnsupportedModelError, match="structure Linear"):
            LinearExplainer(RandomForestRegressor(2).fit(self.X, self.y), self.X)

    def test_no_background_where_one_is_needed(self):
        with pytest.raises(InvalidInputError, match="initialization_examples"):
            TabularExplainer(LinearRegression().fit(self.X, self.y))
        with pytest.raises(InvalidInputError, match="rows and columns"):
            TabularExplainer(LinearRegression().fit(self.X, self.y), self.X.iloc[:0])

    def test_predictions_that_are_not_numbers(self):
        with pytest.raises(InvalidInputError, match="NaN or infinite"):
            KernelExplainer(lambda rows: np.full(len(rows), np.nan), self.X.to_numpy())

    def test_a_function_that_changes_its_width(self):
        def erratic(rows):
            return np.ones((len(rows), 2 if len(rows) > 10 else 3)) / 2

        with pytest.raises(InvalidInputError, match="must return 3 outputs"):
            KernelExplainer(erratic, self.X.to_numpy()).explain_local(self.X.to_numpy()[:1])

    def test_values_that_do_not_add_up(self):
        broken = FittedModel(
            {"response": lambda rows: np.asarray(rows)[:, :1] ** 3 * 10},
            "response",
            "regression",
            Linear(np.ones((1, 5)), np.zeros(1)),
            encode=np.asarray,
        )
        with pytest.raises(AdditivityError, match="miss the prediction"):
            TabularExplainer(broken, self.X.to_numpy()).explain_local(self.X.to_numpy()[:3])

    def test_repeated_column_names(self):
        model = LinearRegression().fit(self.X.to_numpy(), self.y)
        with pytest.raises(InvalidInputError, match=r"one column per name\. Repeated: \['a'\]"):
            TabularExplainer(model, pd.DataFrame(self.X.to_numpy(), columns=["a", "a", "b", "c", "d"]))

    @pytest.mark.parametrize(("first", "second"), [(1, "1"), (np.nan, "nan"), (True, "True")])
    def test_column_names_that_are_alike_as_text(self, first, second):
        model = LinearRegression().fit(self.X.to_numpy(), self.y)
        columns = pd.Index([first, second, "b", "c", "d"], dtype=object)
        with pytest.raises(InvalidInputError, match=r"names differ as text\. Got .* and '" + second + "': rename one"):
            TabularExplainer(model, pd.DataFrame(self.X.to_numpy(), columns=columns))


def test_describe_takes_what_it_returns():
    model = LinearRegression().fit(table(), target(table(), "regression"))
    described = describe(model)
    assert describe(described) is described


def test_weights_of_the_background_are_as_repeated_rows():
    X = table()
    model = RandomForestRegressor(n_estimators=6, random_state=0).fit(X, target(X, "regression"))
    weights = np.random.default_rng(0).integers(1, 4, 20)
    weighted = TreeExplainer(model, X[:20], weights=weights).explain_local(X[50:55])
    repeated = TreeExplainer(model, np.repeat(X[:20], weights, axis=0)).explain_local(X[50:55])
    np.testing.assert_allclose(weighted.local_importance_values, repeated.local_importance_values, atol=1e-12)
    np.testing.assert_allclose(weighted.expected_values, repeated.expected_values)


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_interaction_values_sum_to_the_shapley_values(background, task):
    X = table()
    forest = RandomForestClassifier if task == "binary" else RandomForestRegressor
    model = forest(n_estimators=6, max_depth=4, random_state=0).fit(X, target(X, task))
    explainer = TreeExplainer(model, X[:20] if background else None)
    values = explainer.interaction_values(X[50:55])
    assert values.shape == ((2, 5, 5, 5) if task == "binary" else (5, 5, 5))
    np.testing.assert_allclose(values, np.swapaxes(values, -1, -2), atol=1e-12)
    np.testing.assert_allclose(
        values.sum(axis=-1), explainer.explain_local(X[50:55]).local_importance_values, atol=1e-12
    )


def test_the_probability_of_a_booster_is_a_game_of_its_own():
    X = table()
    model = LGBMClassifier(n_estimators=10, num_leaves=7, min_child_samples=5, verbose=-1).fit(X, target(X, "binary"))
    explainer = TreeExplainer(model, X[:10], output="probability")
    explanation = explainer.explain_local(X[50:51])
    expected = shapley_values(model_game(model.predict_proba, X[50:51], X[:10]), 5)
    np.testing.assert_allclose(explanation.local_importance_values[:, 0], expected, atol=1e-12)
    assert explanation.method == "ensemble"
    with pytest.raises(InvalidInputError, match="leave out the 'output' parameter"):
        explainer.interaction_values(X[:1])
