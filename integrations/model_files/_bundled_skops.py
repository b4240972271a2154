"""Fitted objects of scikit-learn as files of skops, without pickle.

A file names the types of its objects, and reading it imports them. Types are therefore compared with lists before anything is
read: scikit-learn's, numpy's and scipy's that skops trusts itself; those of `TRUSTED`, which are written in Python and only
compute; and those of `COMPILED`, whose compiled code follows positions in their arrays without checking them, so that they are
taken from signed bundles only.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError, UntrustedModelError
from automl_explain.explainers.bundles._archive import Archive, damaged
from automl_explain.explainers.bundles._manifest import KEY_VARIABLE, signature

FILE = "model.skops"
KERNELS = (
    "CompoundKernel", "ConstantKernel", "DotProduct", "ExpSineSquared", "Exponentiation", "Matern", "PairwiseKernel", "Product",
    "RBF", "RationalQuadratic", "Sum", "WhiteKernel",
)  # fmt: skip
SCORES = ("chi2", "f_classif", "f_regression", "r_regression")
TRUSTED = frozenset(
    {
        "numpy.dtype",
        "numpy.mean",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        *(f"sklearn.gaussian_process.kernels.{name}" for name in KERNELS),
        *(f"sklearn.feature_selection._univariate_selection.{name}" for name in SCORES),
    }
)
COMPILED = frozenset(
    {
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._dist_metrics.MinkowskiDistance64",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.tree._tree.Tree",
    }
)
SHOWN = 5
"""Types that a message lists."""


def write(model: Any) -> bytes:
    """Return a fitted object as a file.

    Raises
    ------
    UnsupportedModelError
        If skops cannot store it, or it has types that are not trusted.
    """
    from skops import io as skops

    try:
        content: bytes = skops.dumps(model)
        unknown = _unknown_types(content)
    except Exception as error:  # skops raises whatever the object's own code does
        raise UnsupportedModelError(f"cannot be stored by skops: {error}.") from error
    if found := sorted(set(unknown) & COMPILED):
        raise UnsupportedModelError(
            f"has parts that are only loaded from signed bundles: {found[:SHOWN]}. Set a key in {KEY_VARIABLE} where the "
            "bundle is saved and where it is loaded."
        )
    if unknown:
        raise UnsupportedModelError(
            f"has parts that are not scikit-learn's, and would not be loaded: {unknown[:SHOWN]}."
        )
    return content


def read(content: bytes, path: Path) -> Any:
    """Return the fitted object in a file of a bundle.

    Raises
    ------
    InvalidInputError
        If it is damaged.
    UntrustedModelError
        If it has types that are not trusted.
    """
    from skops import io as skops

    place = path / FILE
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            Archive(archive, place)  # checks names and sizes
        unknown = _unknown_types(content)
    except InvalidInputError:
        raise
    except Exception as error:  # anything may be in the file
        raise damaged(place, error) from error
    if unknown:
        hint = (
            f" Those of bundles that are signed, with a key in {KEY_VARIABLE}, are." if set(unknown) <= COMPILED else ""
        )
        raise UntrustedModelError(
            f"The model in the bundle {path} has types that are not trusted: {unknown[:SHOWN]}.{hint}"
        )
    return skops.loads(content, trusted=sorted(TRUSTED | COMPILED))


def _unknown_types(content: bytes) -> list[str]:
    """Return the types that are not trusted; where there is a key, every bundle that is read has been signed with it."""
    from skops import io as skops

    is_signed = signature(b"") is not None
    return sorted(set(skops.get_untrusted_types(data=content)) - (TRUSTED | COMPILED if is_signed else TRUSTED))
