"""What other AutoML libraries find: the sums of models that it is, in the user's own columns, checked by brute force.

The libraries are not in the extra ``test``: their pins differ. .ci/run installs them into an environment of their own. Here
a missing one is skipped, unless AUTOML_EXPLAIN_AUTOMLS=required.
"""

import os
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from automl_explain import Mixture, describe, explain_model
from tests.oracles import model_game, shapley_values

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # the libraries' own warnings
]


def library(name):
    if find_spec(name.partition(".")[0]) is None and os.environ.get("AUTOML_EXPLAIN_AUTOMLS") != "required":
        pytest.skip(f"{name} is not installed")
    return import_module(name)


@pytest.fixture(scope="module")
def table():
    """Numbers, categories and missing cells; a class and a number to predict."""
    rng = np.random.default_rng(7)
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, 400).astype(float),
            "income": rng.normal(50, 15, 400),
            "plan": rng.choice(["basic", "pro", "team"], 400),
            "calls": rng.poisson(2, 400).astype(float),
        }
    )
    score = 0.05 * X.age + 0.04 * X.income + (X.plan == "pro") + 0.5 * X.calls + rng.normal(0, 0.5, 400)
    X.loc[::17, "income"] = np.nan
    return X, np.where(score > score.median(), "yes", "no"), score.to_numpy()


def three_classes(score):
    return np.digitize(score, np.quantile(score, [0.33, 0.66])) * 10


def check_by_definition(model, predict, X, tolerance=1e-5):
    """Compare the values of two rows with Shapley values by definition over eight background rows."""
    background, rows = X.iloc[40:48], X.iloc[:2]
    n_outputs = predict(rows).shape[1]
    explained = explain_model(model, X.iloc[:200], rows, output="probability" if n_outputs > 1 else "auto")
    assert explained.overall.features == tuple(X.columns)
    few = explain_model(model, background, rows, output="probability" if n_outputs > 1 else "auto").overall
    values = few.local_importance_values.reshape(n_outputs, 2, X.shape[1])
    for i in range(2):
        truth = shapley_values(model_game(predict, rows.iloc[[i]], background), X.shape[1])
        np.testing.assert_allclose(values[:, i], truth, atol=tolerance)
    return explained


class TestAutoGluon:
    @pytest.fixture(scope="class")
    def fit(self, tmp_path_factory):
        tabular = library("autogluon.tabular")

        def fit(X, y, **options):
            place = tmp_path_factory.mktemp("autogluon")
            predictor = tabular.TabularPredictor(label="y", path=str(place / "models"), verbosity=0)
            return predictor.fit(
                X.assign(y=y), hyperparameters={"GBM": {"num_boost_round": 20}, "XT": {"n_estimators": 20}, "LR": {}},
                fit_strategy="sequential", dynamic_stacking=False, **options,
            )  # fmt: skip

        return fit

    def test_bags_and_their_weighted_ensemble_are_sums_of_trees(self, fit, table):
        X, _, y = table
        predictor = fit(X, y, num_bag_folds=2, num_bag_sets=1, num_stack_levels=0)
        explained = check_by_definition(
            predictor, lambda rows: np.asarray(predictor.predict(rows, as_pandas=False))[:, None], X, 2e-4
        )
        described = describe(predictor, X)
        assert isinstance(described.structure, Mixture)
        assert "Opaque" not in {type(member.structure).__name__ for member in described.structure.members}
        assert explained.method == "mixture"
        assert explained.overall.standard_errors is None

    def test_classes_are_those_of_the_user(self, fit, table):
        X, y, _ = table
        predictor = fit(X, y)
        explained = check_by_definition(
            predictor, lambda rows: predictor.predict_proba(rows, as_pandas=False, as_multiclass=True), X
        )
        assert explained.classes == ("no", "yes")

    def test_several_classes_keep_their_order(self, fit, table):
        X, _, score = table
        y = three_classes(score)
        predictor = fit(X, y)
        explained = check_by_definition(
            predictor, lambda rows: predictor.predict_proba(rows, as_pandas=False, as_multiclass=True), X
        )
        assert explained.classes == (0, 10, 20)
        best = np.array(explained.classes)[explained.overall.predictions.argmax(axis=1)]
        np.testing.assert_array_equal(best, predictor.predict(X.iloc[:2]))

    def test_stackers_are_explained_from_predictions(self, fit, table):
        X, _, y = table
        predictor = fit(X, y, num_bag_folds=2, num_bag_sets=1, num_stack_levels=1)
        check_by_definition(
            predictor, lambda rows: np.asarray(predictor.predict(rows, as_pandas=False))[:, None], X, 2e-4
        )


class TestMljar:
    @pytest.fixture(scope="class")
    def fit(self, tmp_path_factory):
        supervised = library("supervised.automl")

        def fit(X, y, **options):
            automl = supervised.AutoML(
                results_path=str(tmp_path_factory.mktemp("mljar") / "results"), mode="Explain", verbose=0,
                total_time_limit=1200, explain_level=0, random_state=0, train_ensemble=True, **options,
            )  # fmt: skip
            automl.fit(X, y)
            return automl

        return fit

    def test_an_ensemble_of_classifiers(self, fit, table):
        X, y, _ = table
        automl = fit(X, y, algorithms=["LightGBM", "Xgboost"])
        explained = check_by_definition(automl, automl.predict_proba, X)
        labels = automl.predict(X)
        outputs = describe(automl, X).outputs["probability"](X)
        assert set(explained.classes) == {"no", "yes"}
        assert (np.array(explained.classes)[outputs.argmax(axis=1)] == labels).mean() > 0.9  # its threshold is not 0.5

    def test_several_classes_keep_their_order(self, fit, table):
        X, _, score = table
        automl = fit(X, three_classes(score), algorithms=["LightGBM"])
        explained = check_by_definition(automl, automl.predict_proba, X)
        assert sorted(explained.classes) == [0, 10, 20]
        best = np.array(explained.classes)[explained.overall.predictions.argmax(axis=1)]
        np.testing.assert_array_equal(best, automl.predict(X.iloc[:2]))

    def test_folds_of_a_regression(self, fit, table):
        X, _, y = table
        automl = fit(
            X,
            y,
            algorithms=["LightGBM"],
            validation_strategy={"validation_type": "kfold", "k_folds": 3, "shuffle": True},
        )
        check_by_definition(automl, lambda rows: automl.predict(rows)[:, None], X, 1e-4)
        assert isinstance(describe(automl, X).structure, Mixture)


class TestTPOT:
    def test_the_pipeline_that_was_found(self, table):
        tpot = library("tpot")
        X, y, _ = table
        numbers = X[["age", "calls"]]
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.pipeline import make_pipeline, make_union
        from sklearn.preprocessing import LabelEncoder, StandardScaler
        from tpot.builtin_modules import Passthrough, SkipTransformer

        found = tpot.TPOTClassifier()  # what a search leaves, without its minutes
        found.classification = True
        found.label_encoder_ = LabelEncoder().fit(y)
        forest = RandomForestClassifier(10, random_state=0)
        found.fitted_pipeline_ = make_pipeline(StandardScaler(), forest).fit(numbers, found.label_encoder_.transform(y))
        explained = check_by_definition(found, found.predict_proba, numbers)
        assert explained.classes == ("no", "yes")
        assert explained.overall.standard_errors is None
        own = make_pipeline(
            StandardScaler(), make_union(SkipTransformer(), Passthrough()), forest
        )  # as its searches make
        found.fitted_pipeline_ = own.fit(numbers, found.label_encoder_.transform(y))
        explained = check_by_definition(found, found.predict_proba, numbers)
        assert explained.method == "tree"


class TestH2O:
    @pytest.fixture(scope="class")
    def server(self):
        h2o = library("h2o")
        h2o.init(max_mem_size="1g", nthreads=1, bind_to_localhost=True, verbose=False)
        yield h2o
        h2o.cluster().shutdown()

    def test_a_model_and_its_mojo_file_are_functions(self, server, table, tmp_path, capsys):
        from h2o.estimators import H2OGradientBoostingEstimator

        X, y, _ = table
        model = H2OGradientBoostingEstimator(ntrees=5, max_depth=3, seed=1)
        model.train(x=list(X.columns), y="y", training_frame=server.H2OFrame(X.assign(y=y)))

        def predict(rows):
            frame = server.H2OFrame(rows, column_types={name: "enum" if name == "plan" else "numeric" for name in X})
            return model.predict(frame).as_data_frame().iloc[:, 1:].to_numpy()

        explained = check_by_definition(model, predict, X)
        assert explained.classes == ("no", "yes")
        mojo = server.import_mojo(model.save_mojo(str(tmp_path)))
        capsys.readouterr()
        again = explain_model(mojo, X.iloc[40:48], X.iloc[:2], output="probability")
        np.testing.assert_allclose(
            again.overall.local_importance_values,
            explain_model(model, X.iloc[40:48], X.iloc[:2], output="probability").overall.local_importance_values,
            atol=1e-9,
        )
        assert capsys.readouterr().out == ""  # H2O's bars
