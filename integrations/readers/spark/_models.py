"""Reader of Spark ML's trees, forests, boosted trees and linear models, over the vector of features that they take.

Spark compares in float64 and sends ``x <= threshold`` left, so that NaN goes right. A split by categories keeps the smaller
of its two sets, and sends what is not in it the other way, NaN and unseen categories too.

==========================  ===========  ============================================================
models                      additive in  structure
==========================  ===========  ============================================================
classifiers of trees        probability  mean of the leaves' class shares
regressors of trees         response     mean of the leaves
GBTClassifier               log_odds     twice the weighted sum of the trees: Spark's loss has no half
GBTRegressor                response     weighted sum of the trees
LogisticRegression          log_odds     coefficients
LinearRegression            response     coefficients
LinearSVC                   margin       coefficients
==========================  ===========  ============================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn

import numpy as np

from automl_explain.explainers._errors import NotFittedError, UnsupportedModelError
from automl_explain.explainers.model._fitted_model import FittedModel, Structure
from automl_explain.explainers.model._structures import Linear, Matrix, OutputSpace, Predict
from automl_explain.explainers.trees._split_flags import MISSING_LEFT, UNSEEN_LEFT
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.integrations.readers._checks import require_classes, task_of
from automl_explain.integrations.readers._lightgbm import describe_booster
from automl_explain.integrations.readers._matrix import to_matrix
from automl_explain.integrations.readers._preorder import in_preorder

LOG_ODDS_OF_MARGIN = 2.0
"""Spark's boosted trees predict ``1 / (1 + exp(-2 margin))``."""
WORD = 32
"""Bits of a word of categories."""


def describe_trees(model: Any) -> FittedModel:
    """Describe a DecisionTree, RandomForest or GBT model of classification or regression."""
    java = _java(model)
    name = type(model).__name__
    n_classes = int(model.numClasses) if name.endswith("ClassificationModel") else 0
    boosted = name.startswith("GBT")
    members = [java] if name.startswith("DecisionTree") else list(java.trees())
    weights = np.asarray(model.treeWeights if boosted else np.full(len(members), 1 / len(members)), np.float64)
    if boosted and n_classes:
        weights = weights * LOG_ODDS_OF_MARGIN
    nodes = _Nodes(0 if boosted else n_classes)
    roots = [nodes.add(tree.rootNode(), weight) for tree, weight in zip(members, weights.tolist(), strict=True)]
    space: OutputSpace = "response" if not n_classes else "log_odds" if boosted else "probability"
    trees = nodes.trees(roots, int(model.numFeatures))
    return _described(model, trees, space, n_classes)


def describe_linear(model: Any) -> FittedModel:
    """Describe a LinearRegression, LogisticRegression or LinearSVC model."""
    _java(model)
    name = type(model).__name__
    if name == "LogisticRegressionModel":
        coef, intercept = model.coefficientMatrix.toArray(), model.interceptVector.toArray()
        n_classes = int(model.numClasses)
    else:
        coef, intercept = model.coefficients.toArray()[None, :], np.array([model.intercept])
        n_classes = 2 if name == "LinearSVCModel" else 0
    space: OutputSpace = "response" if not n_classes else "margin" if name == "LinearSVCModel" else "log_odds"
    structure = Linear(np.asarray(coef, np.float64), np.asarray(intercept, np.float64))
    return _described(model, structure, space, n_classes)


def describe_lightgbm(model: Any) -> FittedModel:
    """Describe a LightGBM model of SynapseML from the text in which LightGBM saves it."""
    try:
        from lightgbm import Booster
    except ImportError as error:
        raise UnsupportedModelError(
            f"Reading {type(model).__name__} of SynapseML needs LightGBM: pip install lightgbm"
        ) from error
    return replace(describe_booster(Booster(model_str=model.getNativeModel())), name=type(model).__name__)


def refuse_estimator(estimator: Any) -> NoReturn:
    """Refuse an estimator or pipeline of Spark ML that was not fitted."""
    name = type(estimator).__name__
    raise NotFittedError(
        f"This {name} of Spark ML is not fitted: its 'fit' returns the model. Explain {name.lower()}.fit(frame)."
    )


def refuse_model(model: Any) -> NoReturn:
    """Refuse a model of Spark ML without a reader."""
    raise UnsupportedModelError(
        f"Cannot read {type(model).__name__} of Spark ML. Trees, forests, boosted trees, LinearRegression, "
        "LogisticRegression and LinearSVC are read, alone or in a PipelineModel; explain any other model by a function of "
        "pandas frames that calls its transform."
    )


# ---------------------------------------------------------------------------------------------------- description


def _described(model: Any, structure: Structure, space: OutputSpace, n_classes: int) -> FittedModel:
    classes = tuple(range(n_classes)) if n_classes else None
    require_classes(type(model).__name__, classes)
    outputs: dict[OutputSpace, Predict] = {space: partial(_outputs, model, space)}
    if space == "log_odds":
        outputs["probability"] = partial(_outputs, model, "probability")
    return FittedModel(
        outputs=outputs,
        output_space=space,
        task=task_of(classes),
        structure=structure,
        classes=classes,
        n_features=int(model.numFeatures),
        encode=to_matrix,
        name=type(model).__name__,
    )


def _outputs(model: Any, space: OutputSpace, table: Any) -> Matrix:
    """Return what Spark predicts for the rows of a matrix."""
    import pyspark.sql.functions as sql
    from pyspark.ml.functions import array_to_vector, vector_to_array
    from pyspark.sql import SparkSession

    matrix = to_matrix(table)
    session: Any = SparkSession.active()
    schema = "row long, cells array<double>"
    frame = session.createDataFrame([(row, cells) for row, cells in enumerate(matrix.tolist())], schema)
    frame = frame.select("row", array_to_vector(sql.col("cells")).alias(model.getFeaturesCol()))
    if space == "response":
        made = sql.array(model.getPredictionCol())
    else:
        of_space = {"probability": "getProbabilityCol"}.get(space, "getRawPredictionCol")
        made = vector_to_array(sql.col(getattr(model, of_space)()))
    rows = sorted(model.transform(frame).select("row", made.alias("made")).collect())
    outputs = np.array([made for _, made in rows], np.float64).reshape(len(matrix), -1)
    is_margin = space == "log_odds" and type(model).__name__ == "GBTClassificationModel"
    return outputs * LOG_ODDS_OF_MARGIN if is_margin else outputs


def _java(model: Any) -> Any:
    java = getattr(model, "_java_obj", None)
    if java is None or isinstance(java, str) or not hasattr(java, "uid"):
        raise UnsupportedModelError(
            f"The structure of {type(model).__name__} cannot be read through Spark Connect, which has no Java objects. "
            "Load the model in a classic Spark session, such as one with master local[1], and explain it there."
        )
    return java


# ---------------------------------------------------------------------------------------------------- nodes


@dataclass(eq=False)
class _Nodes:
    """Nodes of trees, read one after the other.

    Parameters
    ----------
    n_classes : int
        Classes whose shares the leaves hold; 0 if they hold numbers.
    """

    n_classes: int

    def __post_init__(self) -> None:
        from pyspark import SparkContext

        context: Any = SparkContext._active_spark_context
        self._arrays = context._jvm.java.util.Arrays
        self._rows: list[dict[str, Any]] = []
        self._words: list[int] = []

    def add(self, root: Any, weight: float) -> int:
        """Add the nodes of a tree whose leaves are multiplied by a weight; return the number of its root."""
        first, waiting = len(self._rows), [(root, -1, "")]
        while waiting:
            node, parent, side = waiting.pop()
            if parent >= 0:
                self._rows[parent][side] = len(self._rows)
            number = len(self._rows)
            row: dict[str, Any] = {"left": -1, "right": -1, "cover": node.impurityStats().count()}
            self._rows.append(row)
            if node.subtreeDepth() == 0:
                row["values"] = weight * self._leaf(node)
                continue
            row |= self._split(node.split())
            waiting += [(node.rightChild(), number, "right"), (node.leftChild(), number, "left")]
        return first

    def trees(self, roots: list[int], n_features: int) -> Trees:
        """Return the trees."""
        width = self.n_classes or 1
        of_second = width == 2
        zero = np.zeros(width)
        values = np.array([row.get("values", zero) for row in self._rows], np.float64).reshape(-1, width)
        if of_second:
            values, width = values[:, 1:], 1

        def field(name: str, default: float, dtype: Any) -> Any:
            return np.array([row.get(name, default) for row in self._rows], dtype)

        return in_preorder(
            Trees(
                roots=np.array(roots, np.int32),
                left=field("left", -1, np.int32),
                right=field("right", -1, np.int32),
                feature=field("feature", -1, np.int32),
                threshold=field("threshold", 0.0, np.float64),
                flags=field("flags", 0, np.uint8),
                category_start=field("category_start", -1, np.int32),
                category_size=field("category_size", 0, np.int32),
                categories=np.array(self._words, np.uint32),
                cover=field("cover", 0.0, np.float64),
                values=values,
                output=np.full(len(roots), 0 if width == 1 else -1, np.int32),
                base=np.zeros(width),
                n_features=n_features,
            )
        )

    def _leaf(self, node: Any) -> Matrix:
        if not self.n_classes:
            return np.array([node.prediction()])
        counts = np.array(self._numbers(node.impurityStats().stats()))[: self.n_classes]
        return np.asarray(counts / counts.sum())

    def _split(self, split: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"feature": split.featureIndex()}
        if split.getClass().getSimpleName() == "ContinuousSplit":
            return found | {"threshold": split.threshold()}
        left = [int(one) for one in self._numbers(split.leftCategories())]
        n_categories = int(split.numCategories())
        words = [0] * (n_categories // WORD + 1)
        for category in left:
            words[category // WORD] |= 1 << (category % WORD)
        kept_left = len(left) <= n_categories // 2
        found |= {"category_start": len(self._words), "category_size": len(words)}
        if not kept_left:  # what is not in the set on the right goes left
            for category in range(n_categories, WORD * len(words)):
                words[category // WORD] |= 1 << (category % WORD)
            found["flags"] = UNSEEN_LEFT | MISSING_LEFT
        self._words += words
        return found

    def _numbers(self, array: Any) -> list[float]:
        """Return an array of Java in one call; a call for each number would take as long as all others together."""
        text: str = self._arrays.toString(array)
        return [float(one) for one in text[1:-1].split(", ") if one]
