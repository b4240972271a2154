"""Shares of classes as JSON and arrays: votes, pairwise coupling, calibrated outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl_explain.explainers.bundles._facts import require
from automl_explain.explainers.scoring.models._class_shares import (
    Calibrated,
    Coupled,
    Isotonic,
    OnePerClass,
    Sigmoid,
    Votes,
)
from automl_explain.explainers.scoring.models._coding import Arrays, Coding, Facts, floats, read, write


def _write_votes(combine: Any, name: str, arrays: Arrays) -> Facts:
    return {"n_classes": combine.n_classes}


def _read_votes(facts: Facts, name: str, arrays: Arrays) -> Votes:
    return Votes(int(facts["n_classes"]))


def _write_coupled(combine: Any, name: str, arrays: Arrays) -> Facts:
    arrays |= {
        f"{name}.slope": np.asarray(combine.slope, np.float64),
        f"{name}.shift": np.asarray(combine.shift, np.float64),
    }
    return {"n_classes": combine.n_classes}


def _read_coupled(facts: Facts, name: str, arrays: Arrays) -> Coupled:
    slope, shift, n_classes = floats(arrays, f"{name}.slope", 1), floats(arrays, f"{name}.shift", 1), facts["n_classes"]
    require(len(slope) == len(shift) == n_classes * (n_classes - 1) // 2, name)
    return Coupled(slope, shift, n_classes)


def _write_calibrated(combine: Any, name: str, arrays: Arrays) -> Facts:
    written = [write(CALIBRATORS, one, f"{name}.{k}", arrays) for k, one in enumerate(combine.calibrators)]
    return {"calibrators": written}


def _read_calibrated(facts: Facts, name: str, arrays: Arrays) -> Calibrated:
    found = [read(CALIBRATORS, one, f"{name}.{k}", arrays) for k, one in enumerate(facts["calibrators"])]
    require(found, name)
    return Calibrated(tuple(found))


def _write_sigmoid(calibrator: Any, name: str, arrays: Arrays) -> Facts:
    return {"slope": calibrator.slope, "shift": calibrator.shift}


def _read_sigmoid(facts: Facts, name: str, arrays: Arrays) -> Sigmoid:
    slope, shift = float(facts["slope"]), float(facts["shift"])
    require(np.isfinite([slope, shift]).all(), name)
    return Sigmoid(slope, shift)


def _write_isotonic(calibrator: Any, name: str, arrays: Arrays) -> Facts:
    arrays |= {f"{name}.knots": calibrator.knots, f"{name}.shares": calibrator.shares}
    return {}


def _read_isotonic(facts: Facts, name: str, arrays: Arrays) -> Isotonic:
    knots, shares = floats(arrays, f"{name}.knots", 1), floats(arrays, f"{name}.shares", 1)
    require(len(knots) == len(shares) > 0 and np.all(np.diff(knots) > 0), name)
    return Isotonic(knots, shares)


CALIBRATORS: dict[type, Coding] = {
    Sigmoid: Coding(_write_sigmoid, _read_sigmoid),
    Isotonic: Coding(_write_isotonic, _read_isotonic),
}
"""Function from an output to a probability -> how it is stored."""

CLASS_SHARES: dict[type, Coding] = {
    Votes: Coding(_write_votes, _read_votes),
    Coupled: Coding(_write_coupled, _read_coupled),
    Calibrated: Coding(_write_calibrated, _read_calibrated),
    OnePerClass: Coding(lambda combine, name, arrays: {}, lambda facts, name, arrays: OnePerClass()),
}
"""Function from the members' outputs to the shares of classes -> how it is stored."""
