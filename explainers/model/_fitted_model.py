"""What the explainers know of a fitted model: `FittedModel` and the structures it can have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._links import LinkFunction, find_link
from automl_explain.explainers.model._model_call import model_call
from automl_explain.explainers.tables._table import Table, as_table
from automl_explain.explainers.trees._tree_ensemble import Trees

Task: TypeAlias = Literal["binary", "multiclass", "regression"]
OutputSpace: TypeAlias = Literal["probability", "log_odds", "response", "margin"]
"""What an output is: the probability of a class; its log-odds, or the scores of which the softmax is the probability; a
regression's prediction; or, as "margin", the sum that any other link is put on: the log of a Poisson regression's
prediction, the decision function of a classifier that is not logistic, the path length of an isolation forest."""
Matrix: TypeAlias = npt.NDArray[np.float64]
"""A float64 matrix, one row per example."""
Predict: TypeAlias = Callable[[Any], Matrix]
"""A function from a table to one output column per class, or one for a regression: (n, k) float64."""

CENTRES_AT_ONCE = 64
"""Centres of kernels whose factors are computed together: few enough for the cache."""
PASSTHROUGH = "passthrough"
"""What the columns that a stack's final estimator reads itself are called among its members."""


@dataclass(frozen=True, eq=False)
class Linear:
    """Outputs that are ``X @ coef.T + intercept``.

    Parameters
    ----------
    coef : ndarray of shape (k, f)
    intercept : ndarray of shape (k,)
    """

    coef: Matrix
    intercept: Matrix


@dataclass(frozen=True, eq=False)
class RadialBasis:
    """Outputs that are weighted sums of Gaussian kernels around centres, ``exp(-sum_j gamma_j (x_j - c_j)^2)``.

    Parameters
    ----------
    centres : ndarray of shape (c, f)
        Such as support vectors.
    gamma : ndarray of shape (f,)
    weights : ndarray of shape (c, k)
    intercept : ndarray of shape (k,)
    """

    centres: Matrix
    gamma: Matrix
    weights: Matrix
    intercept: Matrix

    def parts(self) -> Iterator[RadialBasis]:
        """Yield a few centres at a time, without the intercept."""
        for start in range(0, len(self.centres), CENTRES_AT_ONCE):
            part = slice(start, start + CENTRES_AT_ONCE)
            weights = np.ascontiguousarray(self.weights[part])
            yield RadialBasis(self.centres[part], self.gamma, weights, np.zeros_like(self.intercept))

    def distances(self, matrix: Matrix, players: npt.NDArray[np.intp], n_players: int) -> Matrix:
        """Return gamma times the squared distance of rows from centres, summed over each player's columns, (n, P, c)."""
        found = np.zeros((len(matrix), n_players, len(self.centres)))
        for column, (player, gamma) in enumerate(zip(players, self.gamma, strict=True)):
            found[:, player] += gamma * (matrix[:, column, None] - self.centres[:, column]) ** 2
        return found


@dataclass(frozen=True, eq=False)
class Mixture:
    """A linear combination of models over the same table; exact by linearity of the Shapley value.

    The output is ``constant + sum over members of member.predict(table) @ weights``.

    Parameters
    ----------
    members : tuple of FittedModel
        Each additive in its own `output_space`.
    weights : tuple of ndarray, each of shape (K_member, K)
    constant : ndarray, shape (K,)
    names : tuple of str
        What the ensemble calls its members; empty: nothing.
    """

    members: tuple[FittedModel, ...]
    weights: tuple[Matrix, ...]
    constant: Matrix
    names: tuple[str, ...] = ()

    def as_composite(self) -> Composite:
        """Return the same sum as a function of the members' outputs."""
        entering = tuple((member, member.output_space) for member in self.members)
        why = "a weighted sum of its members"
        return Composite.weighted(entering, self.weights, self.constant, why, self.names)


@dataclass(frozen=True, eq=False)
class Composite:
    """A function of the outputs of other models, such as a stack, a vote of boosters, or a probability.

    Parameters
    ----------
    members : tuple of (FittedModel, output space)
        The models, and the space in which each one's outputs enter.
    combine : callable
        From the members' outputs, side by side, (n, sum of K_member), and the table's rows where `passthrough`, else
        None, to the outputs (n, K).
    passthrough : bool
        Whether `combine` reads the rows themselves as well.
    why : str
        What the model is, in words.
    names : tuple of str
        What the ensemble calls its members; empty: nothing.
    weights : tuple of ndarray, each of shape (K_member, K), or None
        Where `combine` is a weighted sum of the members' outputs, plus a constant, the weights.
    scores : tuple of (output space, Composite), or None
        Where the outputs are a function of such a weighted sum, the sum itself and its space.
    """

    members: tuple[tuple[FittedModel, OutputSpace], ...]
    combine: Callable[[Matrix, Any], Matrix]
    passthrough: bool
    why: str
    names: tuple[str, ...] = ()
    weights: tuple[Matrix, ...] | None = None
    scores: tuple[OutputSpace, Composite] | None = None

    @staticmethod
    def weighted(
        members: tuple[tuple[FittedModel, OutputSpace], ...],
        weights: tuple[Matrix, ...],
        constant: Matrix,
        why: str,
        names: tuple[str, ...] = (),
    ) -> Composite:
        """Return the weighted sum of members that are not all additive in the space in which they enter."""
        stacked = np.vstack(weights)
        return Composite(
            members, lambda columns, rows: np.asarray(columns @ stacked + constant), False, why, names, weights
        )

    def member_outputs(self, table: Any) -> Matrix:
        """Return what the members feed into `combine` for an engineered table, side by side."""
        return np.hstack([member.outputs[space](table) for member, space in self.members])


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model behind a preprocessing of its own, over the columns before it: what a pipeline is to an ensemble.

    Parameters
    ----------
    model : FittedModel
        With its preprocessing and its feature map.
    """

    model: FittedModel

    def table(self, raw: Table) -> Table:
        """Return a raw table as the model behind the preprocessing takes it."""
        return as_table(self.model.transform(raw.data))

    def players(self, of_raw: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return the player of each engineered column, from that of each raw one.

        Taking a raw column from another row and preprocessing it is the same as taking all columns that come of it.
        """
        assert self.model.feature_map is not None
        return of_raw[self.model.feature_map.parent]


@dataclass(frozen=True)
class Opaque:
    """A model of which only predictions are known.

    Parameters
    ----------
    why : str
        The reason in words, shown in an explanation's `reason`.
    """

    why: str = "its inner structure is not known"


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnValues(Opaque):
    """A tree ensemble that cannot be read, of which the library itself computes path-dependent SHAP values.

    Parameters
    ----------
    why : str
        Why its trees cannot be read, shown in an explanation's `reason`.
    library : str
        The library's name.
    base_values : ndarray of shape (K,)
        Outputs when every feature is absent.
    values : callable
        From an engineered table and a number of threads (None: all cores) to values, (K, n, f).
    caution : str
        How they differ from Shapley values by definition, shown in an explanation's notes; empty: they do not.
    """

    library: str
    base_values: npt.NDArray[np.float64]
    values: Callable[[Any, int | None], npt.NDArray[np.float64]]
    caution: str = ""


Structure: TypeAlias = Trees | Linear | RadialBasis | Mixture | Composite | Prepared | Opaque


def _as_it_is(table: Any) -> Any:
    return table


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A fitted model, described: everything an explainer may know of it.

    Tables come in two spaces. *Raw* is what the user passes to the outermost model. *Engineered* is what `preprocessing`
    makes of it: the input of a pipeline's last step, or of FLAML's learners. Explanations are computed over engineered
    columns unless raw ones are asked for.

    Parameters
    ----------
    outputs : mapping of {"probability", "log_odds", "response", "margin"} to callable
        For each output space the model can be evaluated in, a function from an engineered table to (n, k) float64:
        k = number of classes (2 for binary), or 1 for a regression.
    output_space : {"probability", "log_odds", "response", "margin"}
        The space in which `structure` is additive, one of the keys of `outputs`.
    task : {"binary", "multiclass", "regression"}
        Kind of prediction.
    structure : Trees, Linear, Mixture, Composite, Prepared, OwnValues or Opaque
        How the output in `output_space` comes about. Trees and Linear of a binary model may have one output, that of
        the second class; the first class is its negative (log_odds) or complement (probability).
    classes : tuple or None
        Class labels in the order of the outputs; None for a regression.
    feature_names : tuple of str or None
        Engineered column names, where the model knows them.
    n_features : int or None
        Number of engineered columns, where the model knows it.
    encode : callable
        From an engineered table to the float64 matrix that `structure` reads, same rows, same columns.
    preprocessing : callable or None
        From a raw table to the engineered one; None when the two spaces are the same.
    raw_names : tuple of str or None
        Raw column names, where the model knows them.
    n_raw : int or None
        Number of raw columns, where the model knows it.
    feature_map : FeatureMap or None
        Which engineered columns come of which raw ones; None when the two spaces are the same, or when the
        preprocessing mixes columns.
    mixes : str
        Which step of the preprocessing mixes columns, where one does.
    kind : {"trial", "refit", "ensemble"} or None
        What of a search this model is.
    name : str
        What the model is called in messages, such as ``"LGBMClassifier"``.
    """

    outputs: Mapping[OutputSpace, Predict]
    output_space: OutputSpace
    task: Task
    structure: Structure
    classes: tuple[Any, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    n_features: int | None = None
    encode: Callable[[Any], Matrix] = field(default=_as_it_is)
    preprocessing: Callable[[Any], Any] | None = None
    raw_names: tuple[str, ...] | None = None
    n_raw: int | None = None
    feature_map: FeatureMap | None = None
    mixes: str = ""
    kind: str | None = None
    name: str = "model"

    @property
    def predict(self) -> Predict:
        """The model in its output space: engineered table to (n, k) float64."""
        return self.outputs[self.output_space]

    @property
    def transform(self) -> Callable[[Any], Any]:
        """From a raw table to the engineered one."""
        return self.preprocessing or _as_it_is

    @property
    def input_names(self) -> tuple[str, ...] | None:
        """Column names of the table that the user passes, where the model knows them."""
        return self.feature_names if self.preprocessing is None else self.raw_names

    @property
    def n_inputs(self) -> int | None:
        """Number of columns of the table that the user passes, where the model knows it."""
        return self.n_features if self.preprocessing is None else self.n_raw

    @property
    def n_outputs(self) -> int:
        """Number of output columns of `predict`."""
        return 1 if self.classes is None else len(self.classes)

    def in_space(self, output: str, examples: Any = None) -> FittedModel:
        """Return the same model seen in another output space; ``"auto"`` is the one it is additive in.

        A structure is additive in one space only. Where the outputs asked for are a known function of the additive
        ones, that is the new structure; the Shapley values are those of its game, never a rescaling of others.

        Parameters
        ----------
        output : str
            "auto", or one of `outputs`.
        examples : table, optional
            Engineered rows on which the function is recognised; without them the model is opaque in the other space.
        """
        if output in ("auto", self.output_space):
            return self
        if output not in self.outputs:
            raise InvalidInputError(
                f"The 'output' parameter must be 'auto' or one of {sorted(self.outputs)} for {self.name}. Got {output!r}."
            )
        space: OutputSpace = output  # type: ignore[assignment]
        if isinstance(self.structure, Composite) and self.structure.scores and self.structure.scores[0] == space:
            return replace(self, output_space=space, structure=self.structure.scores[1])
        why = f"{self.name} is additive in {self.output_space}, not in {output}"
        structure: Structure = Opaque(why)
        if examples is not None and not isinstance(self.structure, Opaque):
            with model_call(self.name, "the background"):
                outputs = self.predict(examples), self.outputs[space](examples)
            link = find_link(self.output_space, space, *outputs)
            if link is not None:
                structure = Composite(((self, self.output_space),), LinkFunction(link), False, why)
        return replace(self, output_space=space, structure=structure)
