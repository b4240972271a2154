"""A `Scorer` as the facts of a manifest and arrays, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from automl_explain.explainers.bundles._facts import (
    anything,
    check_facts,
    flag,
    list_of,
    mapping_of,
    optional,
    require,
    text,
    whole,
)
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.explanation._stored_parts import FIDELITY
from automl_explain.explainers.methods._settings import SamplingOptions, Settings
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.scoring._kinds import KINDS
from automl_explain.explainers.scoring._scorer import Scorer
from automl_explain.explainers.scoring._scorer_parts import Account, Game, Labels
from automl_explain.explainers.scoring.columns._column_map import decode_map, encode_map
from automl_explain.explainers.scoring.columns._schema import Schema
from automl_explain.explainers.scoring.external._coding import encode_external
from automl_explain.explainers.scoring.external._external_scorer import External, ExternalScorer
from automl_explain.explainers.scoring.models._coding import Arrays, floats
from automl_explain.explainers.scoring.models._model_coding import encode_model
from automl_explain.explainers.tables._cell_coding import decode_cell, encode_cell

MOST_PLAYERS = 1 << 24
FACTS = {
    "classes": optional(list_of(anything)),
    "output_space": text,
    "model_name": text,
    "method": text,
    "fingerprint": text,
    "explainer": mapping_of(
        {
            "kind": text,
            "engine": text,
            "settings": mapping_of({"sampling": mapping_of({}), "random_state": whole}),
            "features": optional(list_of(anything)),
            "is_raw": flag,
            "is_raw_space": flag,
            "n_players": optional(whole),
            "reason": text,
            "notes": list_of(text),
            "subset": optional(list_of(anything)),
            "fidelity": optional(mapping_of(FIDELITY)),
            "raw_names": optional(list_of(text)),
            "intake": mapping_of({}),
        }
    ),
}
"""What the manifest holds of a scorer, apart from its schema."""


def encode_scorer(scorer: Scorer, arrays: Arrays) -> dict[str, Any]:
    """Return what a manifest says of a scorer, and put its arrays among `arrays`."""
    game, labels, said = scorer.game, scorer.labels, scorer.account
    explainer: dict[str, Any] = {
        "kind": scorer.kind,
        "engine": game.engine_name,
        "settings": {"sampling": asdict(game.settings.sampling), "random_state": game.settings.random_state},
        "features": labels.features,
        "is_raw": labels.is_raw,
        "is_raw_space": labels.is_raw_space,
        "n_players": game.n_players,
        "reason": said.reason,
        "notes": said.notes,
        "subset": None if labels.subset is None else [encode_cell(one) for one in labels.subset],
        "fidelity": None if said.fidelity is None else asdict(said.fidelity),
        "raw_names": None if labels.feature_map is None else labels.feature_map.raw_names,
        "intake": encode_map(scorer.intake, "intake", arrays),
    }
    if isinstance(scorer, ExternalScorer):
        explainer["external"] = encode_external(scorer, arrays)
    else:
        explainer["model"] = encode_model(scorer.model, "model", arrays)
    if labels.feature_map is not None:
        arrays["parent"] = labels.feature_map.parent
    optional = {"background": game.background, "weights": game.weights, "players": game.players}
    arrays |= {name: array for name, array in optional.items() if array is not None}
    return {
        "schema": scorer.schema.as_json(),
        "classes": None if labels.classes is None else [encode_cell(_plain(label)) for label in labels.classes],
        "output_space": scorer.model.output_space,
        "model_name": scorer.model.name,
        "method": said.method,
        "fingerprint": scorer.fingerprint,
        "explainer": explainer,
    }


def decode_scorer(
    manifest: Mapping[str, Any], arrays: Arrays, schema: Schema, model: FittedModel, external: External | None
) -> Scorer:
    """Return the scorer that `encode_scorer` wrote.

    Parameters
    ----------
    manifest : mapping
    arrays : dict
    schema : Schema
        The caller's columns.
    model : FittedModel
        The model over coded tables; the described external model, if there is one.
    external : External or None

    Raises
    ------
    InvalidInputError
        If an array has another type or shape, or refers to what does not exist.
    """
    check_facts(manifest, FACTS)
    stored = manifest["explainer"]
    intake = decode_map(stored["intake"], "intake", arrays)
    require(len(schema.columns) == intake.n_inputs, "schema")
    require(stored["kind"] in KINDS, "kind")
    names, known = manifest["classes"], model.classes
    require(names is None or known is None or len(names) == len(known), "classes")
    made = Scorer if external is None else partial(ExternalScorer, external=external)
    return made(
        schema=schema,
        intake=intake,
        model=model,
        game=_game(stored, arrays, intake.n_outputs if external is None else len(external.engineered.schema.columns)),
        labels=_labels(stored, manifest["classes"], arrays),
        account=Account(
            method=str(manifest["method"]),
            reason=str(stored["reason"]),
            notes=tuple(map(str, stored["notes"])),
            fidelity=None if stored["fidelity"] is None else Fidelity(**stored["fidelity"]),
        ),
        kind=stored["kind"],
        fingerprint=str(manifest["fingerprint"]),
    )


def _game(stored: Mapping[str, Any], arrays: Arrays, n_read: int) -> Game:
    background = floats(arrays, "background", 2, finite=False) if "background" in arrays else None
    weights = floats(arrays, "weights", 1) if "weights" in arrays else None
    n_players, players = stored["n_players"], arrays.get("players")
    if background is not None:
        require(len(background) > 0 and background.shape[1] == n_read, "background")
        require(weights is None or (weights.shape == (len(background),) and (weights >= 0).all()), "weights")
    if players is not None:
        players = players.astype(np.intp)
        require(type(n_players) is int and 0 < n_players <= MOST_PLAYERS, "players")
        require(players.shape == (n_read,) and players.min() >= 0 and players.max() < n_players, "players")
    sampling, seed = SamplingOptions(**stored["settings"]["sampling"]), stored["settings"]["random_state"]
    return Game(background, weights, players, n_players, str(stored["engine"]), Settings(sampling, seed, None, False))


def _labels(stored: Mapping[str, Any], classes: Any, arrays: Arrays) -> Labels:
    names, subset = stored["features"], stored["subset"]
    return Labels(
        features=None if names is None else tuple(map(str, names)),
        classes=None if classes is None else tuple(decode_cell(label) for label in classes),
        is_raw=bool(stored["is_raw"]),
        is_raw_space=bool(stored["is_raw_space"]),
        feature_map=_feature_map(stored, arrays),
        subset=None if subset is None else tuple(decode_cell(one) for one in subset),
    )


def _feature_map(stored: Mapping[str, Any], arrays: Arrays) -> FeatureMap | None:
    if stored["raw_names"] is None:
        return None
    parent, n_raw = arrays["parent"].astype(np.intp), len(stored["raw_names"])
    require(parent.ndim == 1 and not (len(parent) and (parent.min() < 0 or parent.max() >= n_raw)), "parent")
    return FeatureMap(tuple(stored["raw_names"]), parent)


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label
