"""`DeepExplainer`, for neural networks of any framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from automl_explain.explainers._arguments import check_choice, checked
from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.methods._explainer import ShapleyExplainer, check_background, question_of
from automl_explain.explainers.methods._settings import SamplingOptions, read_settings
from automl_explain.explainers.methods.neural._choice import METHODS, network_engine
from automl_explain.explainers.model._explained_model import FeatureSpace, RowsRead, behind, explained_model
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._names import ClassNames, given_names
from automl_explain.explainers.model._registry import NetworkOptions, describe, describe_tensor_function
from automl_explain.explainers.model._structures import Opaque
from automl_explain.explainers.neural._examples import as_examples, cell_names, is_table, is_tensor
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.neural._players import read_players
from automl_explain.explainers.tables._table import as_table


class DeepExplainer(ShapleyExplainer):
    """Explains neural networks: by coalitions, or approximately by their gradients.

    Networks of PyTorch, TensorFlow, Keras and JAX, and pipelines and searches that end with one, with tables, sequences,
    images or several inputs. The network runs in evaluation mode, and everything of it is left as it was.

    - "coalitions": Shapley values from the outputs of coalitions, exact if there are few players, otherwise estimates with
      standard errors. Any operation and any input, also whole numbers.
    - "rescale": the rescale rule of DeepLIFT, for networks of linear and element-wise operations, max-pooling and
      embeddings. A few times faster, and approximate.
    - "path": gradients along the path from each background row, completed so that they add up. For any network with
      gradients, and approximate.

    Approximate values add up to the output, but are not Shapley values: they differed from them by 10 to 30 % on small
    tables. A note and `coalition_r2` of the explanation say how well they describe the outputs of coalitions.

    Parameters
    ----------
    model : object
        A fitted network, such as a `torch.nn.Module`, or a pipeline or search that ends with one. With tensors as the
        background, also a function of tensors that returns a tensor; with arrays that are not a table, a function of arrays.
    initialization_examples : array, tensor or DataFrame of shape (B, ...), or list or mapping of them
        The background: examples that provide the values of absent players. Networks with several inputs take one array per
        input.
    method : {"auto", "coalitions", "rescale", "path"}, default "auto"
        "auto" is coalitions for at most 64 players; for more, the rescale rule if all operations have one, otherwise the
        path. Networks without gradients are always explained by coalitions.
    players : int, tuple of int, mapping or array of int, optional
        Cells that are present or absent together. An axis or several, counted without that of the examples: one player per
        position, such as ``players=0`` for the steps of a sequence of shape (steps, channels). A mapping from names to cells:
        all other cells stay single. An array of the shape of an example: the number of the player of each cell. Default:
        each cell is a player.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values. "auto" is what the network returns. If it ends with a softmax or sigmoid, "log_odds" is the input
        of that.
    device : str, default "auto"
        Device such as "cpu" or "cuda". "auto" is the device of the network's weights; for another one the network is copied.
    batch_size : int, optional
        Rows per call of the network. Default: as many as make good use of caches, and fit in memory.
    features : sequence of str, optional
        Column names, for tables without names.
    classes : sequence or mapping, optional
        Class names to show instead of the model's labels, in the model's order, or ``{label: name}``. The model's own labels
        in another order are refused.
    feature_space : {"engineered", "raw"}, optional
        Explain the columns that the model's last step reads ("engineered"), or the columns of the table ("raw"). If the
        preprocessing mixes columns, raw columns are masked before it, and `reason` says so. Default: "engineered", or
        "raw" if `transformations` are given.
    transformations : fitted transformer, or list of (columns, fitted transformer), optional
        Preprocessing to apply before `model`, such as a ColumnTransformer. All tables are then passed without it.
    weights : array-like of shape (B,), optional
        Weights of the background rows. Default: equal weights.
    model_task : {"classification", "regression"}, optional
        Task of a black-box model with one column of predictions. By default it is a regression; as a classification, the
        column holds probabilities of the second of two classes. Other models have a task of their own, which the parameter
        must not contradict.
    explain_subset : sequence of str or int, optional
        Features to return, by name or position, in this order. Values are computed with all features;
        `Explanation.left_out` is the sum of the others. Default: all features.
    sampling : SamplingOptions, optional
        Number of coalitions and of background rows: `nsamples`, `tolerance`, `time_budget` and others.
    random_state : int, default 0
        Seed of sampled coalitions. The global random state is not used.
    n_jobs : int, optional
        Threads of compiled kernels. Default: all cores available to the process. The threads of the network's framework stay
        as they are.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Raises
    ------
    UnsupportedModelError
        If the model is not a network, or does not allow the method.
    InvalidInputError
        If the examples or a parameter do not match the network, or its outputs are random, several, or not finite.

    References
    ----------
    Shrikumar, Greenside and Kundaje, "Learning important features through propagating activation differences",
    arXiv 1704.02685; Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", arXiv 1703.01365.

    Examples
    --------
    >>> import torch
    >>> from automl_explain import DeepExplainer
    >>> X = torch.linspace(-1, 1, 120).reshape(30, 4)
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.GELU(), torch.nn.Linear(8, 3), torch.nn.Softmax(1))
    >>> explanation = DeepExplainer(network, X[:20]).explain_local(X[20:])
    >>> explanation.local_importance_values.shape, explanation.method
    ((3, 10, 4), 'coalitions')
    >>> explanation.additivity_error < 1e-6
    True
    """

    @checked
    def __init__(
        self,
        model: Any,
        initialization_examples: Any = None,
        *,
        method: str = "auto",
        players: Any = None,
        output: str = "auto",
        device: str = "auto",
        batch_size: int | None = None,
        features: Sequence[str] | None = None,
        classes: ClassNames | None = None,
        feature_space: FeatureSpace | None = None,
        transformations: Any = None,
        weights: Any = None,
        model_task: str | None = None,
        explain_subset: Sequence[Any] | None = None,
        sampling: SamplingOptions | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
        progress: bool | None = None,
    ) -> None:
        settings = read_settings(sampling, random_state, n_jobs, progress)
        check_background(initialization_examples, type(self).__name__)
        check_choice("method", method, METHODS)
        options = NetworkOptions(device, batch_size)
        if transformations is not None:
            model = behind(transformations, model, as_table(initialization_examples, "initialization_examples"))
            feature_space = feature_space or "raw"
        described, examples = _described(model, initialization_examples, options)
        self._grouped = players is not None
        if players is not None:
            described, feature_space = _grouped(described, players, features), "raw"
        explained = explained_model(
            described,
            examples,
            features=None if players is not None else features,
            classes=classes,
            output=output,
            feature_space=feature_space,
            weights=weights,
            model_task=model_task,
        )
        structure = explained.model.structure
        if not isinstance(structure, Network):
            why = structure.why if isinstance(structure, Opaque) else type(structure).__name__
            raise UnsupportedModelError(
                f"DeepExplainer explains neural networks. Got {explained.model.name}: {why}. Use TabularExplainer, which chooses "
                "a method for any model; for a function of tensors, pass tensors as the background; for images, ImageExplainer "
                "or explain_model(..., data='images')."
            )
        self._inputs = structure.inputs
        super().__init__(explained, network_engine(question_of(explained, settings), method), explain_subset, settings)

    def explain_local(self, X: Any) -> Explanation:
        """Explain each row.

        Parameters
        ----------
        X : array, tensor or DataFrame of shape (n, ...), or list or mapping of them
            Rows in the form of the background. A single example may come without the axis of rows.

        Returns
        -------
        Explanation
            Values per cell, or per player; `shaped_values` has them in the shape of the inputs.

        Raises
        ------
        ColumnMismatchError
            If the columns differ from those of the background.
        InvalidInputError
            If `X` does not match the background, or the network cannot take it.
        AdditivityError
            If the values do not add up to the outputs.
        """
        return super().explain_local(self._table(X))

    @checked
    def explain_global(
        self, X: Any, *, sampling_policy: Any = None, include_local: bool = True, batch_size: int | None = None
    ) -> Explanation:
        """Explain all examples by the mean absolute value of each cell or player.

        Parameters
        ----------
        X : array, tensor or DataFrame of shape (n, ...), or list or mapping of them
            Examples as the network takes them.
        sampling_policy : SamplingPolicy or int, optional
            Explain a sample of the rows, of this size or drawn by this policy. Default: all rows.
        include_local : bool, default True
            Keep the values of each row. If False, keep only the global values, in constant memory.
        batch_size : int, optional
            Rows per batch with ``include_local=False``. Default: as many rows as fit in 64 MiB, at most 4096.

        Returns
        -------
        Explanation
            With `include_local`, the values of each example, too.

        Raises
        ------
        InvalidInputError
            If `X` does not match the background, or the network cannot take it.
        """
        return super().explain_global(
            self._table(X), sampling_policy=sampling_policy, include_local=include_local, batch_size=batch_size
        )

    def _table(self, X: Any) -> Any:
        if is_table(X) and not is_tensor(X) and (_is_flat(self._inputs) or not _is_one_example(X, self._inputs)):
            return X
        return as_examples(X, "X", self._inputs).flat()

    def _about(self, rows: RowsRead) -> dict[str, Any]:
        about = super()._about(rows)
        if self._grouped:
            return {**about, "data": None}
        shapes = None if _is_flat(self._inputs) else tuple((each.name, each.shape) for each in self._inputs)
        return {**about, "input_shapes": shapes}


def _described(model: Any, examples: Any, options: NetworkOptions) -> tuple[FittedModel, Any]:
    """Return the description of a network, and its background as a table."""
    if is_table(examples) and not is_tensor(examples):
        return describe(model, examples, options), examples
    read = as_examples(examples, "initialization_examples")
    described = describe_tensor_function(model, examples, read, options) or describe(model, read, options)
    return described, read.flat()


def _grouped(described: FittedModel, players: Any, features: Sequence[str] | None) -> FittedModel:
    """Return a network as a function of players."""
    network = described.structure
    if described.preprocessing is not None or not isinstance(network, Network):
        raise InvalidInputError(
            "The 'players' parameter groups the cells of a network. Got a model with a preprocessing: pass "
            "feature_space='raw' to explain the columns before it."
        )
    names = given_names(features) or described.feature_names or cell_names(network.inputs)
    found = read_players(players, network.inputs, names)
    return replace(described, feature_map=FeatureMap(found.names, found.of_cell))


def _is_flat(inputs: tuple[Any, ...]) -> bool:
    return len(inputs) == 1 and len(inputs[0].shape) == 1


def _is_one_example(X: Any, inputs: tuple[Any, ...]) -> bool:
    return len(inputs) == 1 and getattr(X, "shape", None) == inputs[0].shape
