"""Reader of CatBoost models, from the JSON format in which CatBoost saves them.

CatBoost compares in float32 and sends ``x > border`` right. A missing value counts as the smallest number, or as the
largest with ``nan_mode="Max"``. A one-hot split sends one category right, which is identified by a hash of its text.

Symmetric trees have one split per depth. They are expanded to full trees with the last split at the root, as CatBoost does
for its own Shapley values. Splits on target statistics of a categorical column (CTR) are read as sets of its categories; see
`_catboost_categories`. Splits on statistics of several columns, text or embeddings use numbers that are not in the table: models
with such splits are explained by CatBoost's own values, or from their predictions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError, MissingExtraError, UnsupportedModelError
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Matrix, Opaque, OutputSpace, Predict
from automl_explain.explainers.trees._split_flags import MISSING_LEFT, UNSEEN_LEFT
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.integrations.readers._catboost_categories import (
    CTR_SPLIT,
    Codes,
    Statistics,
    category_hash,
    city_hash_64,
    codes_of,
    read_statistics,
)
from automl_explain.integrations.readers._catboost_shap import own_values
from automl_explain.integrations.readers._checks import not_fitted, several_targets, task_of
from automl_explain.integrations.readers._matrix import real_names, to_matrix
from automl_explain.integrations.readers._predictions import both_margins, columns
from automl_explain.integrations.readers._preorder import in_preorder, leaf_sums
from automl_explain.integrations.readers.sklearn._targets import quantile_names, target_names

Saved: TypeAlias = Mapping[str, Any]
"""A model, a tree, a node or a split in CatBoost's JSON."""

NAN_LEFT = {"AsIs": True, "AsFalse": True, "AsTrue": False}
"""CatBoost's treatment of missing values -> whether they go left; ``AsIs``: the training data had none."""
EXPONENTS = ("Poisson", "Tweedie")
"""Losses for which a CatBoostRegressor predicts the exponential of the raw value."""
MULTI_LABEL = ("MultiLogloss", "MultiCrossEntropy")
"""Losses of classifiers that predict several labels per row."""
MULTI_TARGET = ("MultiRMSE", "MultiRMSEWithMissingValues", "MultiQuantile")
"""Losses of regressions that predict several numbers per row, as raw values."""
UNREADABLE = {"text": "text", "embedding": "embeddings"}
"""Kinds of columns whose splits CatBoost does not save as JSON."""


def describe(model: Any) -> FittedModel:
    """Describe a CatBoostClassifier, CatBoostRegressor, CatBoostRanker or CatBoost model.

    Log-odds are the raw formula value.
    """
    if not model.is_fitted():
        raise not_fitted(model)
    targets = _targets(model)
    classes = targets or tuple(np.asarray(model.classes_).tolist())
    _require_known_outputs(model, len(classes))
    structure, codes = _read(model)
    outputs, space = _outputs(model, 0 if _loss(model) in MULTI_TARGET else len(classes))
    readable = isinstance(structure, Trees)
    described = FittedModel(
        outputs=outputs,
        output_space=space,
        task="multitarget" if targets else task_of(classes),
        structure=structure,
        classes=classes or None,
        feature_names=real_names(model.feature_names_, "{}"),
        n_features=len(model.feature_names_),
        name=type(model).__name__,
    )
    return replace(described, encode=partial(_encode, codes)) if readable else described


def read_trees(model: Any) -> Trees:
    """Read a CatBoost model.

    Parameters
    ----------
    model : fitted CatBoost model

    Returns
    -------
    Trees
        The raw formula value, one column per class of a multiclass model. It reads the matrix of `FittedModel.encode`.

    Raises
    ------
    UnsupportedModelError
        If splits use values that are not columns of the table.
    """
    structure, _ = _read(model)
    if isinstance(structure, Opaque):
        raise UnsupportedModelError(f"Cannot read this {type(model).__name__} as trees: {structure.why}.")
    return structure


# ---------------------------------------------------------------------------------------------------- description


def _outputs(model: Any, n_classes: int) -> tuple[dict[OutputSpace, Predict], OutputSpace]:
    raw = partial(model.predict, prediction_type="RawFormulaVal")
    if n_classes:
        score = both_margins if _n_outputs(model) == 1 else columns
        probability = partial(model.predict, prediction_type="Probability")
        return {"log_odds": partial(score, raw), "probability": partial(columns, probability)}, "log_odds"
    response = partial(columns, model.predict)
    if _loss(model) in EXPONENTS and getattr(model, "_estimator_type", None) == "regressor":
        return {"margin": partial(columns, raw), "response": response}, "margin"
    return {"response": response}, "response"


def _targets(model: Any) -> tuple[str, ...]:
    """Return one name per output of a model of several targets, labels or quantiles; empty for any other model."""
    loss, n_outputs = _loss(model), _n_outputs(model)
    if loss == "MultiQuantile":
        return quantile_names(
            model.get_all_params()["loss_function"].partition("alpha=")[2].partition(";")[0].split(",")
        )
    return target_names(n_outputs) if loss in MULTI_TARGET + MULTI_LABEL else ()


def _require_known_outputs(model: Any, n_classes: int) -> None:
    n_outputs = _n_outputs(model)
    if n_outputs not in (1, n_classes):
        raise several_targets(type(model).__name__, n_outputs)


def _n_outputs(model: Any) -> int:
    return int(np.size(model.get_scale_and_bias()[1]))


def _loss(model: Any) -> str:
    # A sum of models has no parameters.
    parameters = json.loads(model.get_metadata().get("params") or "{}")
    return str(parameters.get("loss_function", {}).get("type", ""))


def _encode(codes: Codes, table: Any) -> Matrix:
    """Replace each category by its code; categories that no split uses share the next code."""
    if not codes:
        return to_matrix(table)
    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(np.asarray(table))
    matrix = np.empty(frame.shape)
    for number in range(frame.shape[1]):
        column = frame.iloc[:, number]
        if number in codes:
            matrix[:, number] = _category_codes(column, codes[number])
        else:
            matrix[:, number] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return matrix


def _category_codes(column: pd.Series, codes: Mapping[int, int]) -> npt.NDArray[np.int64]:
    position, values = pd.factorize(column, use_na_sentinel=False)
    known = [codes.get(category_hash(_text(value, column.name)), len(codes)) for value in values]
    return np.asarray(np.asarray(known, dtype=np.int64)[position])


def _text(value: Any, name: Any) -> str:
    """Return a category as the text that CatBoost hashes."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | np.integer | np.bool_):
        return str(int(value))
    raise InvalidInputError(
        f"CatBoost takes integers and strings as categories. Column {name!r} has {value!r}: convert the column, for "
        "example with astype(str)."
    )


# ---------------------------------------------------------------------------------------------------- JSON to Trees


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Nodes of all trees; `split` is the position of a node's split among `splits`, -1 at a leaf."""

    roots: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    split: npt.NDArray[np.int64]
    values: Matrix
    weights: npt.NDArray[np.float64]
    splits: Sequence[Saved]


def _read(model: Any) -> tuple[Trees | Opaque, Codes]:
    for kind, word in UNREADABLE.items():
        if getattr(model, f"get_{kind}_feature_indices")():
            why = f"its trees split on {word}, which are not columns of numbers or categories"
            return own_values(model, why, combines=bool(model.get_cat_feature_indices())), {}
    saved = _saved(model)
    bias = np.asarray(saved["scale_and_bias"][1], dtype=np.float64)
    nodes = _symmetric(saved, len(bias)) if "oblivious_trees" in saved else _asymmetric(saved, len(bias))
    if np.isnan(nodes.weights).any():
        return Opaque("it was saved without the weights of its leaves"), {}
    statistics, why = _statistics(saved, nodes.splits)
    if why:
        return own_values(model, why, combines=_combines(saved["features_info"])), {}
    codes = codes_of(saved["features_info"].get("categorical_features", []), statistics)
    if codes:
        city_hash_64()  # fail here if it is not installed, not when the first table is read
    trees = Trees(
        roots=nodes.roots.astype(np.int32),
        left=nodes.left.astype(np.int32),
        right=nodes.right.astype(np.int32),
        **_tests(nodes, saved["features_info"], codes, statistics),
        cover=nodes.weights,
        values=saved["scale_and_bias"][0] * nodes.values,
        output=np.full(len(nodes.roots), 0 if len(bias) == 1 else -1, dtype=np.int32),
        base=bias,
        n_features=len(model.feature_names_),
        float32=True,
        allows_missing=True,
    )
    return in_preorder(replace(trees, cover=leaf_sums(trees))), codes


def _statistics(saved: Saved, splits: Sequence[Saved]) -> tuple[Statistics, str]:
    """Return the statistics of the splits, by their numbers, or why a split uses a number that is not in the table."""
    kinds = {split["split_type"] for split in splits}
    if kinds <= {"FloatFeature", "OneHotFeature"}:
        return {}, ""
    found = read_statistics(saved)
    if found is None or not kinds <= {"FloatFeature", "OneHotFeature", CTR_SPLIT}:
        return {}, "its trees split on target statistics of several columns (CTR), which are not columns of the table"
    on_statistics = [split for split in splits if split["split_type"] == CTR_SPLIT]
    if any(found.get(split["split_index"], (None, None))[1] != split["border"] for split in on_statistics):
        return {}, "its trees split on target statistics of categories (CTR) that its tables do not describe"
    try:
        city_hash_64()
    except MissingExtraError as error:
        return {}, f"its trees split on target statistics of categories (CTR). {error}"
    return found, ""


def _combines(features: Saved) -> bool:
    """Whether a target statistic combines several columns."""
    return any(len(statistic["elements"]) > 1 for statistic in features.get("ctrs", []))


def _saved(model: Any) -> Saved:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "model.json"
        model.save_model(str(path), format="json")
        saved: Saved = json.loads(path.read_bytes())
    return saved


def _symmetric(saved: Saved, n_outputs: int) -> _Nodes:
    """Expand symmetric trees to full trees. Split k sends a row right on its way to leaf i if i has the bit 2 ** k."""
    trees = saved["oblivious_trees"]
    own_splits = [tree.get("splits") or [] for tree in trees]
    depths = np.array([len(own) for own in own_splits])
    sizes = 2 ** (depths + 1) - 1
    roots = np.cumsum(sizes) - sizes
    first_split = np.cumsum(depths) - depths
    shapes = [_perfect(depth) for depth in depths.tolist()]

    def joined(part: int, shift: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        numbers = np.concatenate([shape[part] for shape in shapes])
        return np.where(numbers < 0, -1, numbers + np.repeat(shift, sizes))

    split = joined(2, first_split)
    values = np.zeros((len(split), n_outputs))
    values[split < 0] = np.concatenate([np.reshape(tree["leaf_values"], (-1, n_outputs)) for tree in trees])
    weights = np.zeros(len(split))
    unknown = [np.full(2**depth, np.nan) for depth in depths.tolist()]
    weights[split < 0] = np.concatenate(
        [tree.get("leaf_weights", none) for tree, none in zip(trees, unknown, strict=True)]
    )
    return _Nodes(roots, joined(0, roots), joined(1, roots), split, values, weights, list(chain(*own_splits)))


@cache
def _perfect(depth: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the left child, right child and split of the nodes of a perfect tree, level by level from the root."""
    number = np.arange(2 ** (depth + 1) - 1)
    level = np.repeat(np.arange(depth + 1), 2 ** np.arange(depth + 1))
    is_leaf = level == depth
    left = np.where(is_leaf, -1, 2 * number + 1)
    return left, np.where(is_leaf, -1, left + 1), depth - 1 - level


def _asymmetric(saved: Saved, n_outputs: int) -> _Nodes:
    roots: list[int] = []
    left: list[int] = []
    right: list[int] = []
    split: list[int] = []
    values: list[Any] = []
    weights: list[float] = []
    splits: list[Saved] = []
    for tree in saved["trees"]:
        # Each waiting node has the list of children, and the position in it, to which its number is written.
        waiting: list[tuple[Saved, list[int], int]] = [(tree, roots, len(roots))]
        roots.append(-1)
        while waiting:
            node, children, place = waiting.pop()
            number = children[place] = len(left)
            is_leaf = "split" not in node
            left.append(-1)
            right.append(-1)
            split.append(-1 if is_leaf else len(splits))
            values.append(node["value"] if is_leaf else [0.0] * n_outputs)
            weights.append(node.get("weight", np.nan) if is_leaf else 0.0)
            if not is_leaf:
                splits.append(node["split"])
                waiting += [(node["right"], right, number), (node["left"], left, number)]
    return _Nodes(
        roots=np.asarray(roots),
        left=np.asarray(left),
        right=np.asarray(right),
        split=np.asarray(split),
        values=np.array([np.ravel(value) for value in values], dtype=np.float64),
        weights=np.asarray(weights),
        splits=splits,
    )


def _tests(nodes: _Nodes, features: Saved, codes: Codes, statistics: Statistics) -> dict[str, npt.NDArray[Any]]:
    """Return the tests of the nodes, as the fields of `Trees`."""
    numeric = {column["feature_index"]: column for column in features.get("float_features", [])}
    categorical = {column["feature_index"]: column for column in features.get("categorical_features", [])}
    feature, threshold, flags, start, size = (np.zeros(len(nodes.splits) + 1) for _ in range(5))
    words: list[npt.NDArray[np.uint32]] = []
    n_words = 0
    places: dict[int, tuple[int, int]] = {}  # of the bit sets of splits on statistics, many of which are the same
    for row, split in enumerate(nodes.splits):
        if split["split_type"] == "FloatFeature":
            column = numeric[split["float_feature_index"]]
            threshold[row] = split["border"]
            flags[row] = MISSING_LEFT if NAN_LEFT[column["nan_value_treatment"]] else 0
            start[row], feature[row] = -1, column["flat_feature_index"]
            continue
        number = split["split_index"]
        if number not in places:
            if split["split_type"] == CTR_SPLIT:
                statistic, border = statistics[number]
                words.append(_bits(statistic.left(border, codes[statistic.column])))
            else:
                column = categorical[split["cat_feature_index"]]
                words.append(_all_but(codes[column["flat_feature_index"]][split["value"]]))
            places[number] = n_words, len(words[-1])
            n_words += len(words[-1])
        if split["split_type"] == CTR_SPLIT:
            feature[row] = statistics[number][0].column
        else:
            feature[row], flags[row] = categorical[split["cat_feature_index"]]["flat_feature_index"], UNSEEN_LEFT
        start[row], size[row] = places[number]
    # The split -1 of a leaf takes the last row, which is left empty.
    return {
        "feature": feature[nodes.split].astype(np.int32),
        "threshold": threshold[nodes.split],
        "flags": flags[nodes.split].astype(np.uint8),
        "category_start": start[nodes.split].astype(np.int32),
        "category_size": size[nodes.split].astype(np.int32),
        "categories": np.concatenate([np.zeros(0, dtype=np.uint32), *words]),
    }


def _bits(included: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """Return the bit set of the categories that are included."""
    whole = np.pad(included, (0, -len(included) % 32))
    return np.packbits(whole, bitorder="little").view("<u4").astype(np.uint32)


def _all_but(code: int) -> npt.NDArray[np.uint32]:
    """Return the bit set of all categories but one."""
    words = np.full(code // 32 + 1, 2**32 - 1, dtype=np.uint32)
    words[-1] -= np.uint32(1 << code % 32)
    return words
