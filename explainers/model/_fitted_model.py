"""Descriptions of fitted models for the explainers: `FittedModel`, and the structures of models made of other models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._links import LinkFunction, WeightedSum, find_link
from automl_explain.explainers.model._model_call import RowWise, model_call
from automl_explain.explainers.model._structures import Linear, Matrix, Opaque, OutputSpace, Predict, RadialBasis, Task
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.tables._table import Table, as_table
from automl_explain.explainers.trees._tree_ensemble import Trees

PASSTHROUGH = "passthrough"
"""Member name of the columns that are passed through to a stack's final estimator."""


def _as_it_is(table: Any) -> Any:
    """Return the table itself.

    Parameters
    ----------
    table : table
        Engineered rows.

    Returns
    -------
    table
        The same object.
    """
    return table


@dataclass(frozen=True, eq=False)
class Mixture:
    """A weighted sum of models over the same table. Its values are exact by linearity of the Shapley value.

    The output is ``constant + sum over members of member.predict(table) @ weights``.

    Parameters
    ----------
    members : tuple of FittedModel
        The models. Each enters with the output in its own `output_space`.
    weights : tuple of ndarray, each of shape (K_member, K)
        Weight of each output of a member in each output of the sum.
    constant : ndarray, shape (K,)
        Constant term of each output.
    names : tuple of str
        Names of the members in the ensemble. Empty: they have no names.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import VotingRegressor
    >>> from sklearn.linear_model import LinearRegression, Ridge
    >>> from automl_explain import describe
    >>> X, y = load_diabetes(return_X_y=True)
    >>> mixture = describe(VotingRegressor([("a", LinearRegression()), ("b", Ridge())]).fit(X, y)).structure
    >>> mixture.names, [weight.item() for weight in mixture.weights]
    (('a', 'b'), [0.5, 0.5])
    """

    members: tuple[FittedModel, ...]
    weights: tuple[Matrix, ...]
    constant: Matrix
    names: tuple[str, ...] = ()

    def as_composite(self) -> Composite:
        """Return the same sum as a `Composite`.

        Returns
        -------
        Composite
            With the weights of this sum.
        """
        entering = tuple((member, member.output_space) for member in self.members)
        why = "a weighted sum of its members"
        return Composite.weighted(entering, self.weights, self.constant, why, self.names)


@dataclass(frozen=True, eq=False)
class Composite:
    """A function of the outputs of other models, such as a stack, a vote of boosters, or the probability of a booster.

    Parameters
    ----------
    members : tuple of (FittedModel, output space)
        The models, and the output space in which each one enters.
    combine : callable
        Function that returns the outputs, (n, K). Its arguments are the concatenated outputs of the members, (n, sum of
        K_member), and the columns that `passed` makes of the table, or None without `passthrough`.
    passthrough : bool
        Whether `combine` also reads the rows.
    why : str
        Description of the model, shown in an explanation's `reason`.
    names : tuple of str
        Names of the members in the ensemble. Empty: they have no names.
    weights : tuple of ndarray, each of shape (K_member, K), or None
        The weights, if `combine` is a weighted sum of the members' outputs plus a constant; otherwise None.
    scores : tuple of (output space, structure), or None
        The structure of the outputs in another output space, if the outputs of this one are a function of them, such as
        the weighted sum below a link; otherwise None.
    passed : callable
        Function from a table to the columns that `combine` reads, one per column of the table. Default: the table.
    by_table : bool
        Whether `passed` gives a row with text another value if the table has other rows.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import StackingRegressor
    >>> from sklearn.linear_model import LinearRegression, Ridge
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from automl_explain import describe
    >>> X, y = load_diabetes(return_X_y=True)
    >>> stack = StackingRegressor([("a", Ridge()), ("b", LinearRegression())], DecisionTreeRegressor(max_depth=2))
    >>> structure = describe(stack.fit(X, y)).structure
    >>> structure.names, structure.passthrough
    (('a', 'b'), False)
    """

    members: tuple[tuple[FittedModel, OutputSpace], ...]
    combine: Callable[[Matrix, Any], Matrix]
    passthrough: bool
    why: str
    names: tuple[str, ...] = ()
    weights: tuple[Matrix, ...] | None = None
    scores: tuple[OutputSpace, Structure] | None = None
    passed: Callable[[Any], Any] = field(default=_as_it_is)
    by_table: bool = False

    @staticmethod
    def weighted(
        members: tuple[tuple[FittedModel, OutputSpace], ...],
        weights: tuple[Matrix, ...],
        constant: Matrix,
        why: str,
        names: tuple[str, ...] = (),
    ) -> Composite:
        """Return a weighted sum of members, some of which are not additive in the space in which they enter.

        Parameters
        ----------
        members : tuple of (FittedModel, output space)
            The models, and the output space in which each one enters.
        weights : tuple of ndarray, each of shape (K_member, K)
            Weight of each output of a member in each output of the sum.
        constant : ndarray of shape (K,)
            Constant term of each output.
        why : str
            Description of the model.
        names : tuple of str, default ()
            Names of the members.

        Returns
        -------
        Composite
            The sum.
        """
        return Composite(members, WeightedSum(np.vstack(weights), constant), False, why, names, weights)

    def member_outputs(self, table: Any) -> Matrix:
        """Return the concatenated outputs of the members for an engineered table, the first argument of `combine`.

        Parameters
        ----------
        table : table
            Engineered rows.

        Returns
        -------
        ndarray of shape (n, sum of K_member)
            Each member in the output space in which it enters.
        """
        return np.hstack([member.outputs[space](table) for member, space in self.members])


@dataclass(frozen=True, eq=False)
class Prepared:
    """A pipeline in an ensemble: a model with its own preprocessing, as a function of the columns before it.

    Parameters
    ----------
    model : FittedModel
        The model, with its preprocessing and feature map.
    """

    model: FittedModel

    def table(self, raw: Table) -> Table:
        """Return a raw table, preprocessed for the model."""
        return as_table(self.model.transform(raw.data))

    def players(self, of_raw: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return the player of each engineered column, given the player of each raw column.

        Masking a raw column before the preprocessing is the same as masking all engineered columns made from it.
        """
        assert self.model.feature_map is not None
        return of_raw[self.model.feature_map.parent]


Structure: TypeAlias = Trees | Linear | RadialBasis | Mixture | Composite | Prepared | Network | Opaque


@dataclass(frozen=True, eq=False)
class FittedModel:
    """Description of a fitted model: all that the explainers know about it.

    There are two feature spaces. *Raw* columns are those of the table that the user passes to the outermost model.
    *Engineered* columns are the output of `preprocessing`: the input of a pipeline's last step, or of FLAML's learners.
    Engineered columns are explained unless raw ones are requested.

    Parameters
    ----------
    outputs : mapping of {"probability", "log_odds", "response", "margin"} to callable
        For each output space of the model, a function from an engineered table to outputs, (n, k) float64, where k is the
        number of classes (2 for binary), or 1 for regression.
    output_space : {"probability", "log_odds", "response", "margin"}
        The space in which `structure` is additive, one of the keys of `outputs`.
    task : {"binary", "multiclass", "regression", "multitarget"}
        Kind of prediction.
    structure : Trees, Linear, Mixture, Composite, Prepared, Network, OwnValues or Opaque
        How the output in `output_space` is computed. Trees, Linear and Network of a binary model may have one output, that
        of the second class. The output of the first class is its complement (probability) or negative (otherwise).
    classes : tuple or None
        Class labels in the order of the outputs, or the names of several targets; None for regression.
    feature_names : tuple of str or None
        Names of the engineered columns, if the model knows them.
    n_features : int or None
        Number of engineered columns, if the model knows it.
    encode : callable
        Function from an engineered table to the float64 matrix that `structure` reads, with the same rows and columns.
    preprocessing : callable or None
        Function from a raw table to the engineered one. None: the two spaces are the same.
    raw_names : tuple of str or None
        Names of the raw columns, if the model knows them.
    n_raw : int or None
        Number of raw columns, if the model knows it.
    feature_map : FeatureMap or None
        The raw column of each engineered column. None: the two spaces are the same, or the preprocessing mixes columns.
    mixes : str
        The step of the preprocessing that mixes columns, if there is one.
    recode : callable or None
        Function from an array of objects to an array in which the model's own codes replace text, column by column. It is
        set only if these codes depend on the array's other rows. None: each row is read by itself.
    by_table : bool
        Whether `outputs` or `encode` give a row with text another value if the table has other rows.
    kind : {"trial", "refit", "ensemble"} or None
        Role of the model in a search. None: it is not from a search.
    name : str
        Name of the model in messages, such as ``"LGBMClassifier"``.
    class_path : str
        Module and name of the described object's class, or of a function, as text; empty if it is not known.
    original : object or None
        The described object itself, for bundles that store it.

    Examples
    --------
    >>> import numpy as np
    >>> from automl_explain import FittedModel, Linear, explain_model
    >>> X = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 1.0]])
    >>> coef, intercept = np.array([[2.0, -1.0]]), np.array([0.5])
    >>> outputs = {"response": lambda table: table @ coef.T + intercept}
    >>> described = FittedModel(outputs, "response", "regression", Linear(coef, intercept), n_features=2, name="MyLine")
    >>> explain_model(described, X, X[:1]).shap_values.round(6).tolist()  # coefficient times distance from the mean
    [[-4.0, 0.666667]]
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
    recode: Callable[[Any], Any] | None = None
    by_table: bool = False
    kind: str | None = None
    name: str = "model"
    class_path: str = ""
    original: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        checked = {space: f if isinstance(f, RowWise) else RowWise(f) for space, f in self.outputs.items()}
        object.__setattr__(self, "outputs", checked)

    @property
    def predict(self) -> Predict:
        """Function from an engineered table to the outputs in `output_space`, (n, k) float64."""
        return self.outputs[self.output_space]

    def transform(self, table: Any, what: str = "the rows") -> Any:
        """Return the engineered table of a raw one, which is called `what` in errors.

        Parameters
        ----------
        table : table
            Rows as the user passes them.
        what : str, default "the rows"
            Name of the table in errors.

        Returns
        -------
        table
            What the last step reads; the table itself without a preprocessing.
        """
        if self.preprocessing is None:
            return table
        with model_call(self.name, what):
            return RowWise(self.preprocessing)(table)

    def encoded(self, table: Any, what: str = "the rows") -> Matrix:
        """Return an engineered table as `structure` reads it; it is called `what` in errors.

        Parameters
        ----------
        table : table
            Engineered rows.
        what : str, default "the rows"
            Name of the table in errors.

        Returns
        -------
        ndarray of shape (n, f)
            Numbers of the structure's columns.
        """
        with model_call(self.name, what):
            encoded: Matrix = RowWise(self.encode)(table)
            return encoded

    def read(self, rows: Table, what: str = "the rows") -> Matrix:
        """Return engineered rows as `structure` reads them; they are encoded once, however many read them.

        Parameters
        ----------
        rows : Table
            Engineered rows.
        what : str, default "the rows"
            Name of the table in errors.

        Returns
        -------
        ndarray of shape (n, f)
            Numbers of the structure's columns.
        """
        encoded: Matrix = rows.once(
            self.encode, lambda: rows.through(lambda data: self.encoded(data, what), by_table=self.by_table)
        )
        return encoded

    @property
    def input_names(self) -> tuple[str, ...] | None:
        """Column names of the table that the user passes, if the model knows them."""
        return self.feature_names if self.preprocessing is None else self.raw_names

    @property
    def n_inputs(self) -> int | None:
        """Number of columns of the table that the user passes, if the model knows it."""
        return self.n_features if self.preprocessing is None else self.n_raw

    @property
    def n_outputs(self) -> int:
        """Number of output columns of `predict`."""
        return 1 if self.classes is None else len(self.classes)

    def in_space(self, output: str, examples: Any = None) -> FittedModel:
        """Return the same model in another output space; ``"auto"`` is the space in which it is additive.

        A structure is additive in one space only. If the requested outputs are a known function of the additive ones, the
        new structure is a `Composite` of the model and that function. Its Shapley values are computed for the requested
        output itself, not by rescaling.

        Parameters
        ----------
        output : str
            "auto", or one of the keys of `outputs`.
        examples : table, optional
            Engineered rows used to detect the function. Without them the model is opaque in the other space.

        Returns
        -------
        FittedModel
            With this `output_space`, and the structure of its outputs.

        Raises
        ------
        InvalidInputError
            If the model does not have the output.
        """
        if output in ("auto", self.output_space):
            return self
        if output not in self.outputs:
            raise InvalidInputError(
                f"The 'output' parameter must be 'auto' or one of {sorted(self.outputs)} for {self.name}. Got {output!r}."
            )
        space: OutputSpace = output  # type: ignore[assignment]
        scores = self.structure.scores if isinstance(self.structure, Composite | Network) else None
        if scores is not None and scores[0] == space:
            return replace(self, output_space=space, structure=scores[1])
        why = f"{self.name} is additive in {self.output_space}, not in {output}"
        structure: Structure = Opaque(why)
        if examples is not None and not isinstance(self.structure, Opaque):
            with model_call(self.name, "the background"):
                outputs = self.predict(examples), self.outputs[space](examples)
            link = find_link(self.output_space, space, *outputs)
            if link is not None:
                structure = Composite(((self, self.output_space),), LinkFunction(link), False, why)
        return replace(self, output_space=space, structure=structure)
