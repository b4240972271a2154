"""Reader of scikit-learn's kernel regressions: Gaussian and linear kernels; those with other kernels are black boxes."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl_explain.explainers.model._fitted_model import FittedModel, Structure
from automl_explain.explainers.model._structures import Linear, Matrix, RadialBasis
from automl_explain.integrations.readers._checks import require_fitted
from automl_explain.integrations.readers.sklearn._estimators import dense, describe, regressor


def describe_svr(model: Any, examples: Any = None) -> FittedModel:
    """Describe an SVR or NuSVR."""
    require_fitted(model)
    structure = _support_vectors(model)
    return describe(model, examples) if structure is None else regressor(model, structure)


def describe_kernel_ridge(model: Any, examples: Any = None) -> FittedModel:
    """Describe a KernelRidge with a Gaussian kernel."""
    require_fitted(model)
    if model.kernel != "rbf":
        return describe(model, examples)
    centres = dense(model.X_fit_)
    gamma = 1.0 / centres.shape[1] if model.gamma is None else model.gamma
    return _regression(model, centres, gamma, model.dual_coef_, 0.0)


def describe_gaussian_process(model: Any, examples: Any = None) -> FittedModel:
    """Describe the mean of a GaussianProcessRegressor with a Gaussian kernel, with or without a scale and noise."""
    require_fitted(model)
    found = _gaussian(getattr(model, "kernel_", None))
    if found is None:
        return describe(model, examples)
    scale, gamma = found
    alpha = np.reshape(model.alpha_, (len(model.X_train_), -1))
    weights = scale * np.ravel(model._y_train_std) * alpha
    return _regression(model, dense(model.X_train_), gamma, weights, np.ravel(model._y_train_mean))


def _support_vectors(model: Any) -> Structure | None:
    """Return the structure of a support vector machine with one output; None if its kernel is neither linear nor Gaussian."""
    weights, intercept = dense(model.dual_coef_).ravel(), float(model.intercept_[0])
    if model.kernel == "linear":
        return Linear(dense(model.coef_).reshape(1, -1), np.full(1, intercept))
    if model.kernel == "rbf":
        return _radial(dense(model.support_vectors_), model._gamma, weights, intercept)
    return None


def _radial(centres: Matrix, gamma: Any, weights: Matrix, intercept: Any) -> RadialBasis:
    by_column = np.broadcast_to(np.asarray(gamma, dtype=np.float64), centres.shape[1:]).copy()
    columns = np.reshape(np.asarray(weights, dtype=np.float64), (len(centres), -1))
    return RadialBasis(centres, by_column, columns, np.broadcast_to(intercept, columns.shape[1:]).astype(np.float64))


def _regression(model: Any, centres: Matrix, gamma: Any, weights: Matrix, intercept: Any) -> FittedModel:
    structure = _radial(centres, gamma, weights, intercept)
    return regressor(model, structure, structure.weights.shape[1])


def _gaussian(kernel: Any) -> tuple[float, Matrix] | None:
    """Return the scale and gamma of a kernel of scikit-learn's Gaussian processes; None if it is not Gaussian."""
    name = type(kernel).__name__
    if name == "RBF":
        return 1.0, 0.5 / np.square(kernel.length_scale)
    parts: list[Any] = [getattr(kernel, side, None) for side in ("k1", "k2")]
    for one, other in (parts, parts[::-1]):
        found = _gaussian(one) if name in ("Product", "Sum") else None
        if found is not None and name == "Product" and type(other).__name__ == "ConstantKernel":
            return found[0] * float(other.constant_value), found[1]
        if found is not None and name == "Sum" and type(other).__name__ == "WhiteKernel":
            return found  # noise affects the training rows only
    return None
