"""Models and pipelines of Spark ML: the values of raw columns, beside those by definition of Spark's own predictions."""

import importlib.util
import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from automl_explain import InvalidInputError, NotFittedError, TabularExplainer, explain_model, scoring_explainer
from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers.model._registry import describe
from tests.oracles import shapley_values

HERE = importlib.util.find_spec("pyspark") is not None and shutil.which("java") is not None
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not HERE and not os.environ.get("AUTOML_EXPLAIN_CLUSTERS"), reason="no Spark or no Java"),
]
N_ROWS, COLUMNS = 400, ["age", "town", "plan", "income"]


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {
        "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")), "spark.sql.shuffle.partitions": "2",
    }  # fmt: skip
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("FATAL")
    yield session
    session.stop()


def rows():
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"age": rng.integers(18, 90, N_ROWS).astype(float), "income": rng.gamma(2.0, 20.0, N_ROWS)})
    made["town"] = rng.choice(["Oslo", "Bergen", "Tromsø", "a, b"], N_ROWS, p=[0.5, 0.3, 0.1, 0.1])
    made["plan"] = rng.choice(["basic", "plus"], N_ROWS)
    score = (
        made.income / 20 + (made.town == "Oslo") * (made.age > 50) - (made.plan == "plus") + rng.normal(0, 0.5, N_ROWS)
    )
    return made.assign(
        paid=score, churn=np.where(score > 2, "yes", "no"), grade=pd.qcut(score, 3, labels=["c", "a", "b"]).astype(str)
    )


def pipeline(model, target, *, one_hot, scaled=False):
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Imputer, OneHotEncoder, StandardScaler, StringIndexer, VectorAssembler

    places = StringIndexer(inputCols=["town", "plan"], outputCols=["town at", "plan at"], handleInvalid="keep")
    made = ["town at", "plan at"]
    stages = [places]
    if one_hot:
        stages.append(OneHotEncoder(inputCols=made, outputCols=["town is", "plan is"]))
        made = ["town is", "plan is"]
    stages.append(Imputer(inputCols=["income"], outputCols=["income filled"], strategy="median"))
    stages.append(VectorAssembler(inputCols=["age", *made, "income filled"], outputCol="raw", handleInvalid="keep"))
    if scaled:
        stages.append(StandardScaler(inputCol="raw", outputCol="features", withMean=True))
    else:
        stages[-1].setOutputCol("features")
    if target != "paid":
        stages.append(StringIndexer(inputCol=target, outputCol="label"))
    return Pipeline(
        stages=[*stages, model.setLabelCol("paid" if target == "paid" else "label").setFeaturesCol("features")]
    )


def models():
    from pyspark.ml import classification as c
    from pyspark.ml import regression as r

    seed = {"seed": 1}
    return {
        "tree, two classes": (c.DecisionTreeClassifier(maxDepth=4), "churn", False),
        "tree, three classes": (c.DecisionTreeClassifier(maxDepth=4), "grade", True),
        "forest, two classes": (c.RandomForestClassifier(numTrees=7, maxDepth=4, **seed), "churn", True),
        "forest, three classes": (c.RandomForestClassifier(numTrees=7, maxDepth=4, **seed), "grade", False),
        "boosted, two classes": (c.GBTClassifier(maxIter=6, maxDepth=3, **seed), "churn", False),
        "logistic": (c.LogisticRegression(regParam=0.01), "churn", True),
        "logistic, three classes": (c.LogisticRegression(regParam=0.01), "grade", True),
        "support vectors": (c.LinearSVC(regParam=0.1), "churn", True),
        "tree": (r.DecisionTreeRegressor(maxDepth=4), "paid", False),
        "forest": (r.RandomForestRegressor(numTrees=7, maxDepth=4, **seed), "paid", False),
        "boosted": (r.GBTRegressor(maxIter=6, maxDepth=3, **seed), "paid", True),
        "linear": (r.LinearRegression(regParam=0.1), "paid", True),
    }


NAMES = (
    "tree, two classes", "tree, three classes", "forest, two classes", "forest, three classes", "boosted, two classes",
    "logistic", "logistic, three classes", "support vectors", "tree", "forest", "boosted", "linear",
)  # fmt: skip


def spark_outputs(spark, fitted, frame, space):
    """What Spark predicts for raw rows."""
    from pyspark.ml.functions import vector_to_array
    from pyspark.sql import functions

    model, target = fitted.stages[-1], frame.assign(row=np.arange(len(frame)))
    made = fitted.transform(spark.createDataFrame(target.assign(paid=0.0, churn="yes", grade="a")))
    if space == "response":
        wanted = functions.array("prediction")
    else:
        wanted = vector_to_array("probability" if space == "probability" else "rawPrediction")
    found = sorted(made.select("row", wanted.alias("made")).collect())
    scale = 2.0 if type(model).__name__.startswith("GBT") and space == "log_odds" else 1.0
    return scale * np.array([outputs for _, outputs in found])


def expected_values(spark, fitted, space, frame, background):
    """Shapley values by definition, (n, K, f): all masked rows are predicted at once."""
    n_columns, coalitions = frame.shape[1], range(1 << frame.shape[1])
    masked = []
    for row in range(len(frame)):
        for coalition in coalitions:
            some = background.copy()
            for j in range(n_columns):
                if coalition >> j & 1:
                    some[frame.columns[j]] = [frame.iloc[row, j]] * len(some)
            masked.append(some)
    outputs = spark_outputs(spark, fitted, pd.concat(masked, ignore_index=True), space)
    means = outputs.reshape(len(frame), len(coalitions), len(background), -1).mean(axis=2)

    def game(row):
        return lambda present: means[row, sum(1 << j for j in present)]

    return np.stack([shapley_values(game(row), n_columns) for row in range(len(frame))])


@pytest.mark.parametrize("name", NAMES)
def test_the_values_of_raw_columns_are_those_of_sparks_predictions(name, spark):
    estimator, target, one_hot = models()[name]
    table = rows()
    scaled = name in ("logistic", "linear")
    fitted = pipeline(estimator, target, one_hot=one_hot, scaled=scaled).fit(spark.createDataFrame(table))
    background, few = table[COLUMNS][:6].reset_index(drop=True), table[COLUMNS][40:44].reset_index(drop=True)
    few.loc[0, "income"], few.loc[1, "town"], few.loc[2, "age"] = np.nan, "Atlantis", 18.0
    explainer = TabularExplainer(fitted, background, feature_space="raw")
    found = explainer.explain_local(few)
    values = found.local_importance_values
    values = values.transpose(1, 0, 2) if found.is_classification else values[:, None]
    expected = expected_values(spark, fitted, found.output_space, few, background)
    assert list(found.features) == COLUMNS
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-10)
    if target != "paid":
        assert list(found.classes) == sorted(set(table[target]), key=lambda one: (-(table[target] == one).sum(), one))
    scorer = scoring_explainer(explainer, examples=table[COLUMNS])
    known = few[1:].assign(town="Oslo")[1:]
    again = scorer.explain_local(known).local_importance_values
    np.testing.assert_allclose(again, explainer.explain_local(known).local_importance_values, rtol=0, atol=1e-12)


def test_a_model_trained_in_spark_is_explained_on_its_workers(spark):
    from pyspark.ml.regression import RandomForestRegressor

    from automl_explain.integrations.spark import explain_frame

    table = rows()
    fitted = pipeline(RandomForestRegressor(numTrees=5, seed=1), "paid", one_hot=False).fit(
        spark.createDataFrame(table)
    )
    explainer = TabularExplainer(fitted, table[COLUMNS][:50], feature_space="raw")
    frame = spark.createDataFrame(table[COLUMNS].assign(id=np.arange(N_ROWS)))
    made = sorted(
        explain_frame(explainer, frame).select("id", "prediction", *(f"`value of {c}`" for c in COLUMNS)).collect()
    )
    whole = explainer.explain_local(table[COLUMNS])
    np.testing.assert_allclose(np.array(made)[:, 2:], whole.local_importance_values, rtol=0, atol=1e-12)
    predicted = [
        row.prediction for row in fitted.transform(spark.createDataFrame(table)).select("prediction").collect()
    ]
    np.testing.assert_allclose(np.array(made)[:, 1], predicted, rtol=1e-12)


def test_what_spark_refuses_or_nobody_can_read_is_said(spark):
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import DecisionTreeClassifier, NaiveBayes
    from pyspark.ml.feature import PCA, StringIndexer, VectorAssembler

    table = rows()
    frame = spark.createDataFrame(table)
    target = StringIndexer(inputCol="churn", outputCol="label")
    towns = StringIndexer(inputCol="town", outputCol="town at")  # refuses unknown towns
    vector = VectorAssembler(inputCols=["age", "town at"], outputCol="features")
    fitted = Pipeline(stages=[target, towns, vector, DecisionTreeClassifier(maxDepth=2)]).fit(frame)
    seen = table[["age", "town"]]
    explainer = TabularExplainer(fitted, seen[:20], feature_space="raw")
    with pytest.raises(InvalidInputError, match=r"'town' has a cell that its StringIndexer does not know: 'Atlantis'"):
        explainer.explain_local(seen[:3].assign(town="Atlantis"))
    with pytest.raises(InvalidInputError, match="'age' has missing cells"):
        explainer.explain_local(seen[:3].assign(age=np.nan))
    parts = [PCA(k=1, inputCol="features", outputCol="pc"), DecisionTreeClassifier(featuresCol="pc")]
    with pytest.raises(UnsupportedModelError, match="raw columns through PCAModel"):
        describe(Pipeline(stages=[target, towns, vector, *parts]).fit(frame))
    with pytest.raises(UnsupportedModelError, match="Cannot read NaiveBayesModel"):
        describe(Pipeline(stages=[target, towns, vector, NaiveBayes()]).fit(frame))
    with pytest.raises(UnsupportedModelError, match="No stage of this PipelineModel"):
        describe(Pipeline(stages=[target]).fit(frame))
    with pytest.raises(NotFittedError, match="is not fitted: its 'fit' returns the model"):
        describe(DecisionTreeClassifier())


def test_the_best_model_of_a_search_and_explain_model(spark):
    from pyspark.ml.regression import DecisionTreeRegressor
    from pyspark.ml.tuning import TrainValidationSplitModel

    table = rows()
    fitted = pipeline(DecisionTreeRegressor(), "paid", one_hot=True).fit(spark.createDataFrame(table))
    search = TrainValidationSplitModel(fitted)
    found = explain_model(search, table[COLUMNS][:100], table[COLUMNS][100:200])
    assert set(found.raw.features) == set(COLUMNS)
    assert "town=Oslo" in found.overall_imp  # the columns that the tree splits on


def test_synapsemls_lightgbm_is_read_from_its_text(spark):
    """SynapseML's jar is not on PyPI: its model is stood for by an object with its class's name and method."""
    from lightgbm import LGBMRegressor

    table = rows()
    X = table[["age", "income"]]
    model = LGBMRegressor(n_estimators=5, verbose=-1).fit(X, table.paid)
    text = model.booster_.model_to_string()
    cls = type(
        "LightGBMRegressionModel", (), {"__module__": "synapse.ml.lightgbm", "getNativeModel": lambda self: text}
    )
    expected = TabularExplainer(model, X[:50]).explain_local(X).local_importance_values
    np.testing.assert_array_equal(TabularExplainer(cls(), X[:50]).explain_local(X).local_importance_values, expected)
