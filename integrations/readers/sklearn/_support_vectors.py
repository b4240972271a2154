"""Reader of scikit-learn's support vector classifiers, with one margin per pair of classes.

Each margin is a sum of kernels, and everything else that the classifier returns is a function of the margins: the decision
function of more than two classes, and the probabilities with ``probability=True``, which are Platt's logistic functions of
the margins, coupled to one probability per class.

Sources: Platt, "Probabilistic outputs for support vector machines", 1999; Wu, Lin and Weng, "Probability estimates for
multi-class classification by pairwise coupling", JMLR 5, 2004, method 2, with the stopping rule of libsvm.
"""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Structure
from automl_explain.explainers.model._structures import Linear, Matrix, OutputSpace, Predict, RadialBasis
from automl_explain.explainers.scoring.models._class_shares import Coupled, Votes
from automl_explain.integrations.readers._checks import require_fitted
from automl_explain.integrations.readers._matrix import as_fitted, to_matrix
from automl_explain.integrations.readers._predictions import both_margins, columns, log_odds_of
from automl_explain.integrations.readers.sklearn._estimators import classifier, dense, describe, names_of


def describe_svc(model: Any) -> FittedModel:
    """Describe an SVC or NuSVC by its margins: its decision function, and its probabilities if it has them.

    Without probabilities, two classes have one margin, so that their decision function has the structure of a sum of kernels.
    """
    require_fitted(model)
    found = _pairs(model)
    if found is None:
        return describe(model)
    structure: Structure = found
    name, labels = type(model).__name__, np.asarray(model.classes_)
    n_classes = len(labels)
    pairs = partial(columns, partial(_pair_margins, model))
    decide: Predict = partial(_decision, pairs, Votes(n_classes)) if n_classes > 2 else partial(both_margins, pairs)
    outputs: dict[OutputSpace, Predict] = {"margin": decide}
    against = tuple(f"{one} against {other}" for one, other in combinations(labels.tolist(), 2))
    margins = FittedModel(
        {"margin": pairs}, "margin", "regression", structure,
        classes=against if n_classes > 2 else None, encode=to_matrix, name=f"margins of {name}", **names_of(model),
    )  # fmt: skip
    entering: tuple[tuple[FittedModel, OutputSpace], ...] = ((margins, "margin"),)
    if n_classes > 2:
        structure = Composite(entering, Votes(n_classes), False, f"the votes of the margins of {name}")
    if not hasattr(model, "predict_proba"):
        return classifier(model, outputs, "margin", structure)
    scale = -1.0 if n_classes == 2 else 1.0  # scikit-learn reverses the sign of libsvm's margin of two classes
    # The public probA_ and probB_ warn that they are deprecated.
    combine = Coupled(scale * np.asarray(model._probA), np.asarray(model._probB), n_classes)
    outputs |= {
        "probability": partial(columns, model.predict_proba),
        "log_odds": partial(log_odds_of, model.predict_proba),
    }
    why = f"Platt's probabilities of the margins of {name}"
    platt = Composite(entering, combine, False, why, scores=("margin", structure))
    return classifier(model, outputs, "probability", platt)


def _pairs(model: Any) -> Linear | RadialBasis | None:
    """Return the structure of the margins of all pairs of classes; None if the kernel is neither linear nor Gaussian.

    A support vector of one class has a weight in each pair of this class, in the row of the other class.
    """
    intercept = np.asarray(model.intercept_, dtype=np.float64)
    if model.kernel == "linear":
        return Linear(dense(model.coef_).reshape(len(intercept), -1), intercept)
    if model.kernel != "rbf":
        return None
    centres, dual = dense(model.support_vectors_), dense(model.dual_coef_)
    ends = np.cumsum(model.n_support_)
    weights = np.zeros((len(centres), len(intercept)))
    for pair, (one, other) in enumerate(combinations(range(len(ends)), 2)):
        for mine, theirs in ((one, other), (other, one)):
            own = slice(ends[mine] - model.n_support_[mine], ends[mine])
            weights[own, pair] = dual[theirs - (theirs > mine), own]
    return RadialBasis(centres, np.full(centres.shape[1], float(model._gamma)), weights, intercept)


def _pair_margins(model: Any, table: Any) -> Any:
    return model._decision_function(as_fitted(names_of(model)["feature_names"], table))


def _decision(pairs: Predict, votes: Votes, table: Any) -> Matrix:
    return votes(pairs(table))
