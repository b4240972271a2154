"""Coded models as JSON and arrays, both ways: a table from the class of a structure to its arrays.

What is read is checked before compiled code sees it: types, shapes, and every number that is used as a position.
"""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.bundles._facts import (
    anything,
    check_facts,
    list_of,
    mapping_of,
    one_of,
    optional,
    require,
    text,
    whole,
)
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Mixture, Prepared
from automl_explain.explainers.model._links import LINKS, LinkFunction, WeightedSum, name_of
from automl_explain.explainers.model._structures import Linear, OutputSpace, RadialBasis, Task
from automl_explain.explainers.neural._dense_chain import ACTIVATIONS, DenseChain, DenseNetwork, dense_network
from automl_explain.explainers.neural._dense_chain import LINKS as NETWORK_LINKS
from automl_explain.explainers.scoring.columns._column_map import ColumnMap, decode_map, encode_map
from automl_explain.explainers.scoring.models._class_share_coding import CLASS_SHARES
from automl_explain.explainers.scoring.models._coding import Arrays, Coding, Facts, floats, read, write
from automl_explain.explainers.scoring.models._outputs import CodedFinal, linked_spaces, with_outputs
from automl_explain.explainers.scoring.models._stored_trees import check_trees
from automl_explain.explainers.tables._cell_coding import decode_cell, encode_cell
from automl_explain.explainers.trees._tree_ensemble import Trees

FACTS = {
    "name": text,
    "space": one_of(*get_args(OutputSpace)),
    "task": one_of(*get_args(Task)),
    "classes": optional(list_of(anything)),
    "feature_names": optional(list_of(anything)),
    "n_features": optional(whole),
    "kind": optional(text),
    "links": mapping_of({}),
    "structure": mapping_of({}),
    "encode": optional(mapping_of({})),
    "preprocessing": optional(mapping_of({})),
    "raw_names": optional(list_of(text)),
}
"""What is stored of a model, apart from its arrays."""


def encode_model(model: FittedModel, name: str, arrays: Arrays) -> Facts:
    """Return a coded model as JSON, and put its arrays among `arrays` under names that begin with `name`."""
    facts: Facts = {
        "name": model.name,
        "space": model.output_space,
        "task": model.task,
        "classes": None if model.classes is None else [_label(label) for label in model.classes],
        "feature_names": model.feature_names,
        "n_features": model.n_features,
        "kind": model.kind,
        "links": linked_spaces(model),
        "structure": write(STRUCTURES, model.structure, f"{name}.structure", arrays),
    }
    if isinstance(model.encode, ColumnMap):
        facts["encode"] = encode_map(model.encode, f"{name}.encode", arrays)
    if isinstance(model.preprocessing, ColumnMap):
        facts["preprocessing"] = encode_map(model.preprocessing, f"{name}.preprocessing", arrays)
    if model.feature_map is not None:
        facts["raw_names"] = model.feature_map.raw_names
        arrays[f"{name}.parent"] = model.feature_map.parent
    return facts


def decode_model(facts: Facts, name: str, arrays: Arrays) -> FittedModel:
    """Return the coded model that `encode_model` wrote.

    Raises
    ------
    InvalidInputError
        If an array has another type or shape, or refers to what does not exist.
    """
    check_facts(facts, FACTS)
    classes, names = facts["classes"], facts["feature_names"]
    made = FittedModel(
        outputs={},
        output_space=facts["space"],
        task=facts["task"],
        structure=read(STRUCTURES, facts["structure"], f"{name}.structure", arrays),
        classes=None if classes is None else tuple(decode_cell(label) for label in classes),
        feature_names=None if names is None else tuple(names),
        n_features=facts["n_features"],
        kind=facts["kind"],
        name=str(facts["name"]),
    )
    if isinstance(made.structure, Composite):
        _check_combination(made.structure, made.n_outputs, name)
    if "encode" in facts:
        made = replace(made, encode=decode_map(facts["encode"], f"{name}.encode", arrays))
    if "preprocessing" in facts:
        made = replace(made, preprocessing=decode_map(facts["preprocessing"], f"{name}.preprocessing", arrays))
    if "raw_names" in facts:
        parent, raw_names = arrays[f"{name}.parent"].astype(np.intp), tuple(facts["raw_names"])
        require(parent.ndim == 1 and _inside(parent, len(raw_names)), f"{name}.parent")
        made = replace(made, feature_map=FeatureMap(raw_names, parent))
    require(all(link in LINKS for link in facts["links"].values()), f"{name}: links")
    return with_outputs(made, facts["links"])


def _inside(positions: npt.NDArray[Any], size: int) -> bool:
    return not len(positions) or bool(positions.min() >= 0 and positions.max() < size)


def _label(label: Any) -> Any:
    return encode_cell(label.item() if isinstance(label, np.generic) else label)


# ------------------------------------------------------------------- structures


def _write_trees(trees: Any, name: str, arrays: Arrays) -> Facts:
    facts: Facts = {}
    for field in fields(trees):
        value = getattr(trees, field.name)
        if isinstance(value, np.ndarray):
            arrays[f"{name}.{field.name}"] = value
        else:
            facts[field.name] = value
    return facts


def _read_trees(facts: Facts, name: str, arrays: Arrays) -> Trees:
    given: dict[str, Any] = {
        f.name: arrays.get(f"{name}.{f.name}") for f in fields(Trees) if f"{name}.{f.name}" in arrays
    }
    flags = {key: facts[key] for key in ("n_features", "float32", "allows_missing")}
    require(len(given) + len(flags) == len(fields(Trees)), name)
    require(isinstance(flags["n_features"], int), name)
    return check_trees(Trees(**given, **flags), name)


def _write_linear(linear: Any, name: str, arrays: Arrays) -> Facts:
    arrays |= {f"{name}.coef": np.asarray(linear.coef), f"{name}.intercept": np.asarray(linear.intercept)}
    return {}


def _read_linear(facts: Facts, name: str, arrays: Arrays) -> Linear:
    coef, intercept = floats(arrays, f"{name}.coef", 2), floats(arrays, f"{name}.intercept", 1)
    require(len(coef) == len(intercept), name)
    return Linear(coef, intercept)


def _write_kernels(kernels: Any, name: str, arrays: Arrays) -> Facts:
    arrays |= {
        f"{name}.{key}": np.asarray(getattr(kernels, key)) for key in ("centres", "gamma", "weights", "intercept")
    }
    return {}


def _read_kernels(facts: Facts, name: str, arrays: Arrays) -> RadialBasis:
    centres, weights = floats(arrays, f"{name}.centres", 2), floats(arrays, f"{name}.weights", 2)
    gamma, intercept = floats(arrays, f"{name}.gamma", 1), floats(arrays, f"{name}.intercept", 1)
    require(weights.shape == (len(centres), len(intercept)) and centres.shape[1] == len(gamma), name)
    return RadialBasis(centres, gamma, weights, intercept)


def _write_mixture(mixture: Any, name: str, arrays: Arrays) -> Facts:
    arrays[f"{name}.constant"] = np.asarray(mixture.constant, dtype=np.float64)
    arrays |= {f"{name}.{j}.weights": np.asarray(block) for j, block in enumerate(mixture.weights)}
    members = [encode_model(member, f"{name}.{j}", arrays) for j, member in enumerate(mixture.members)]
    return {"members": members, "names": mixture.names}


def _read_mixture(facts: Facts, name: str, arrays: Arrays) -> Mixture:
    members = tuple(decode_model(member, f"{name}.{j}", arrays) for j, member in enumerate(facts["members"]))
    constant = floats(arrays, f"{name}.constant", 1)
    weights = tuple(floats(arrays, f"{name}.{j}.weights", 2) for j in range(len(members)))
    shapes = [(member.n_outputs, len(constant)) for member in members]
    require(len(members) > 0 and [block.shape for block in weights] == shapes, name)
    return Mixture(members, weights, constant, tuple(facts["names"]))


def _write_composite(composite: Any, name: str, arrays: Arrays) -> Facts:
    members = [
        {"model": encode_model(member, f"{name}.{j}", arrays), "space": space}
        for j, (member, space) in enumerate(composite.members)
    ]
    facts = {
        "members": members,
        "combine": write(COMBINATIONS, composite.combine, f"{name}.combine", arrays),
        "passthrough": composite.passthrough,
        "why": composite.why,
        "names": composite.names,
        "weighted": composite.weights is not None,
    }
    if isinstance(composite.passed, ColumnMap):
        facts["passed"] = encode_map(composite.passed, f"{name}.passed", arrays)
    return facts


def _read_composite(facts: Facts, name: str, arrays: Arrays) -> Composite:
    members = tuple(
        (decode_model(one["model"], f"{name}.{j}", arrays), one["space"]) for j, one in enumerate(facts["members"])
    )
    require(members and all(space in member.outputs for member, space in members), name)
    combine = read(COMBINATIONS, facts["combine"], f"{name}.combine", arrays)
    weights = None
    if facts["weighted"]:
        require(isinstance(combine, WeightedSum), name)
        ends = np.cumsum([member.n_outputs for member, _ in members])
        require(ends[-1] == len(combine.weights), name)
        weights = tuple(np.split(combine.weights, ends[:-1]))
    made = Composite(members, combine, bool(facts["passthrough"]), str(facts["why"]), tuple(facts["names"]), weights)
    return replace(made, passed=decode_map(facts["passed"], f"{name}.passed", arrays)) if "passed" in facts else made


def _check_combination(composite: Composite, n_outputs: int, name: str) -> None:
    """Refuse a function that reads other outputs of the members than there are, or returns others than the model has."""
    passed = composite.passed
    if getattr(composite.combine, "passed", None) is not None and not isinstance(passed, ColumnMap):
        return  # it also reads the rows, whose columns are not known here
    outputs = np.zeros((1, sum(member.n_outputs for member, _ in composite.members)))
    rows = np.zeros((1, passed.n_outputs)) if isinstance(passed, ColumnMap) else None
    try:
        shape = np.shape(composite.combine(outputs, rows))
    except (ValueError, IndexError, TypeError, KeyError) as error:
        raise InvalidInputError(f"The bundle's {name}.structure.combine does not fit its members: {error}") from error
    require(shape == (1, n_outputs), f"{name}.structure.combine")


def _write_prepared(prepared: Any, name: str, arrays: Arrays) -> Facts:
    return {"model": encode_model(prepared.model, f"{name}.model", arrays)}


def _read_prepared(facts: Facts, name: str, arrays: Arrays) -> Prepared:
    model = decode_model(facts["model"], f"{name}.model", arrays)
    require(model.feature_map is not None and model.preprocessing is not None, name)
    return Prepared(model)


def _write_dense(network: Any, name: str, arrays: Arrays) -> Facts:
    chain = network.chain
    for number, (weights, bias) in enumerate(zip(chain.weights, chain.biases, strict=True)):
        arrays |= {
            f"{name}.{number}.weights": np.asarray(weights, np.float64),
            f"{name}.{number}.bias": np.asarray(bias, np.float64),
        }
    return {"layers": len(chain.weights), "activation": chain.activation, "link": chain.link, "why": network.why}


def _read_dense(facts: Facts, name: str, arrays: Arrays) -> DenseNetwork:
    numbers = range(int(facts["layers"]))
    weights = tuple(floats(arrays, f"{name}.{number}.weights", 2) for number in numbers)
    biases = tuple(floats(arrays, f"{name}.{number}.bias", 1) for number in numbers)
    fit = all(len(bias) == layer.shape[1] for layer, bias in zip(weights, biases, strict=True))
    fit = fit and all(one.shape[1] == other.shape[0] for one, other in pairwise(weights))
    require(weights and fit and facts["activation"] in ACTIVATIONS and facts["link"] in NETWORK_LINKS, name)
    return dense_network(DenseChain(weights, biases, facts["activation"], facts["link"]), str(facts["why"]))


STRUCTURES: dict[type, Coding] = {
    Trees: Coding(_write_trees, _read_trees),
    Linear: Coding(_write_linear, _read_linear),
    RadialBasis: Coding(_write_kernels, _read_kernels),
    Mixture: Coding(_write_mixture, _read_mixture),
    Composite: Coding(_write_composite, _read_composite),
    Prepared: Coding(_write_prepared, _read_prepared),
    DenseNetwork: Coding(_write_dense, _read_dense),
}
"""Structure -> how it is stored."""


# ----------------------------------------------------------------- combinations


def _write_sum(combine: Any, name: str, arrays: Arrays) -> Facts:
    arrays |= {f"{name}.weights": combine.weights, f"{name}.constant": np.asarray(combine.constant, dtype=np.float64)}
    return {}


def _read_sum(facts: Facts, name: str, arrays: Arrays) -> WeightedSum:
    weights, constant = floats(arrays, f"{name}.weights", 2), floats(arrays, f"{name}.constant", 1)
    require(weights.shape[1] == len(constant), name)
    return WeightedSum(weights, constant)


def _write_link(combine: Any, name: str, arrays: Arrays) -> Facts:
    return {"link": name_of(combine.link)}


def _read_link(facts: Facts, name: str, arrays: Arrays) -> LinkFunction:
    require(facts["link"] in LINKS, name)
    return LinkFunction(LINKS[facts["link"]])


def _write_final(combine: Any, name: str, arrays: Arrays) -> Facts:
    arrays[f"{name}.reads"] = combine.reads
    model = encode_model(combine.model, f"{name}.model", arrays)
    return {"model": model, "space": combine.space, "passed": combine.passed is not None}


def _read_final(facts: Facts, name: str, arrays: Arrays) -> CodedFinal:
    model = decode_model(facts["model"], f"{name}.model", arrays)
    reads = arrays[f"{name}.reads"].astype(np.intp)
    require(reads.ndim == 1 and facts["space"] in model.outputs and (not len(reads) or reads.min() >= 0), name)
    return CodedFinal(model, facts["space"], reads, _same if facts["passed"] else None)


COMBINATIONS: dict[type, Coding] = {
    WeightedSum: Coding(_write_sum, _read_sum),
    LinkFunction: Coding(_write_link, _read_link),
    CodedFinal: Coding(_write_final, _read_final),
    **CLASS_SHARES,
}
"""Function of the members' outputs -> how it is stored."""


def _same(table: Any) -> Any:
    return table
