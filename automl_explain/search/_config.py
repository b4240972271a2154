"""`AutoMLConfig`: the data and settings of a search, from Python or from a file, checked before the search begins."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from scipy import sparse

from automl_explain.explainers._arguments import array_of, checked, nearest
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.integrations.history._run_history import RunHistory
from automl_explain.integrations.searches._options import ExplainabilityOptions
from automl_explain.integrations.searches._word_columns import text_columns
from automl_explain.search._dataset import Dataset, Features, given_dataset, read_dataset
from automl_explain.search._other_words import WORDS, in_own_words
from automl_explain.search._target import Task
from automl_explain.search._texts import said_of_texts
from automl_explain.search.engines._registry import find_engine

LARGEST_SEED = 2**32 - 1
"""The largest seed of NumPy's older generators, which learners use."""
TASKS = ("classification", "regression")
DATA_KEYS = ("data", "target", "validation", "drop")
"""Keys of a configuration file that replace `X`, `y`, `X_valid` and `y_valid`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AutoMLConfig:
    """The data and settings of a search, and whether its runs are explained.

    Parameters
    ----------
    X : DataFrame, ndarray or sparse matrix of shape (n, f)
        Training rows. Without validation rows and without `cv`, a fifth of them is used for validation.
    y : Series or array of shape (n,)
        Target.
    X_valid, y_valid : as X and y, optional
        Validation rows, on which models are scored and explained. Pass both or neither.
    task : {"classification", "regression"}, optional
        Default: inferred from `y`.
    model_explainability : bool, default True
        Explain every run. If False, only search.
    engine : {"auto", "flaml", "optuna"} or str, default "auto"
        The search engine: FLAML; Optuna, over LightGBM, XGBoost, random forests and logistic or ridge models, or over a
        custom `objective`; or an engine of an installed package, see `SearchEngine`. "auto" is FLAML, or Optuna if a column
        holds texts, whose words it counts.
    time_budget : float, default 60
        Seconds of search. A trial that is running when the time is over is finished. The final fit on all rows, or of the
        ensemble, is not included; the optuna engine leaves it out, with a warning, if it would end far over the budget.
    max_iter : int, optional
        Maximum number of trials, 2 or more.
    metric : str, default "auto"
        The metric that the search optimises, under FLAML's name; "auto" is "roc_auc" for two classes, "log_loss" for more
        classes, and "r2" for a regression.
    estimators : sequence of str, optional
        Learners to try. Default: those of the engine. The learners of optuna are "lgbm", "xgboost", "rf", and "lrl2" for a
        classification or "ridge" for a regression; FLAML has more.
    cv : int, optional
        Number of cross-validation folds on which models are scored, instead of validation rows. A run's explanation is then
        that of the mean of its folds' models.
    ensemble : bool or "voting", default False
        Stack the best learners at the end: a final model is trained on their predictions. With "voting", the ensemble is the
        weighted mean of their probabilities, or of their predictions in a regression; the weights are those that fit
        predictions of rows which the learners had not seen. If False, the final model is the best configuration, fitted
        again on all rows.
    objective : callable, optional
        With the optuna engine: function from an `optuna.Trial` and a `TrialLoss` to the loss of the trial; lower is better.
    seed : int, default 0
        Seed of the split and of the search, at most 2**32 - 1. With `max_iter` and enough time, a search with optuna is
        reproducible; FLAML's also depends on the seconds that its learners take.
    explainability_options : ExplainabilityOptions or mapping, optional
        Which runs and rows are explained, and for how long.
    history : RunHistory or path-like, optional
        Where runs are kept. Default: the user's run history.

    Attributes
    ----------
    dataset : Dataset
        Training and validation rows.
    said : tuple of str
        Messages about what was inferred and how the rows were split.

    Raises
    ------
    InvalidInputError
        If a value cannot be used; raised when the configuration is made, not when it is searched.
    MissingExtraError
        If the library of an engine or learner is not installed.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from automl_explain import AutoMLConfig
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> config = AutoMLConfig(task="classification", X=X, y=y, time_budget=10)
    >>> config.said
    ('validation: 30 of 150 rows, drawn with the classes in proportion (seed 0)',)
    """

    X: Any = field(repr=False)
    y: Any = field(repr=False)
    X_valid: Any = field(default=None, repr=False)
    y_valid: Any = field(default=None, repr=False)
    task: Task | None = None
    model_explainability: bool = True
    engine: str = "auto"
    time_budget: float = 60.0
    max_iter: int | None = None
    metric: str = "auto"
    estimators: Sequence[str] | None = None
    cv: int | None = None
    ensemble: bool | Literal["voting"] = False
    objective: Callable[..., float] | None = field(default=None, repr=False)
    seed: int = 0
    explainability_options: ExplainabilityOptions | Mapping[str, Any] | None = None
    history: RunHistory | str | os.PathLike[str] | None = None
    dataset: Dataset = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check_settings(self)
        options = ExplainabilityOptions.read(self.explainability_options)
        object.__setattr__(self, "explainability_options", options)
        X, y = _features(self.X, "X"), _series(self.y, "y")
        if (self.X_valid is None) != (self.y_valid is None):
            raise InvalidInputError("Validation rows need both X_valid and y_valid. Got only one of them.")
        valid = None if self.X_valid is None else (_features(self.X_valid, "X_valid"), _series(self.y_valid, "y_valid"))
        dataset = given_dataset(X, y, valid, task=self.task, cv=self.cv, random_state=self.seed)
        if isinstance(self.engine, str) and self.engine == "auto":
            object.__setattr__(self, "engine", "optuna" if text_columns(dataset.X_train) else "flaml")
        object.__setattr__(self, "dataset", dataset)
        object.__setattr__(self, "task", dataset.task)
        find_engine(self.engine).check(self)

    @property
    def said(self) -> tuple[str, ...]:
        """Messages about what was inferred and how the rows were split."""
        return (*self.dataset.said, *said_of_texts(text_columns(self.dataset.X_train), self.engine))

    @classmethod
    @checked
    def from_file(cls, path: str | os.PathLike[str], **changes: Any) -> AutoMLConfig:
        """Read a configuration from a TOML, YAML or JSON file, and its data as in `from_data`.

        Parameters
        ----------
        path : path-like
            A ``.toml``, ``.yaml``, ``.yml`` or ``.json`` file with `data` and `target`, optionally `validation` and `drop`,
            and any setting of `AutoMLConfig` except the tables. Paths are relative to the file.
        **changes
            Settings that replace those of the file.

        Returns
        -------
        AutoMLConfig
            The configuration, checked.

        Raises
        ------
        InvalidInputError
            If the file cannot be read, or has an unknown key or a value that cannot be used.
        """
        path = Path(path)
        read = _read_file(path)
        if "objective" in read:
            raise InvalidInputError(
                f"{path} has an objective, which must be a Python function: leave it out, and pass it in Python with "
                "AutoMLConfig.from_file(path, objective=function)."
            )
        settings, said = in_own_words({**read, **changes})
        known = [*DATA_KEYS, *(one.name for one in fields(cls) if one.init and one.name[:1] not in "Xy")]
        for name in settings:
            if name not in known:
                guess = nearest(name, known)
                hint = f"Did you mean {guess!r}?" if guess else f"The keys are: {', '.join(known)}."
                raise InvalidInputError(f"{path} has the unknown configuration key {name!r}. {hint}")
        for name in DATA_KEYS[:2]:
            if not isinstance(settings.get(name), str):
                raise InvalidInputError(f"{path} must have the key {name!r} with a text. Got {settings.get(name)!r}.")
        data, target, validation, drop = (settings.pop(name, None) for name in DATA_KEYS)
        drop = [] if drop is None else drop
        if not (isinstance(drop, list) and all(isinstance(name, str) for name in drop)):
            raise InvalidInputError(f"'drop' of {path} must be a list of column names. Got {drop!r}.")
        if validation is not None and not isinstance(validation, str):
            raise InvalidInputError(f"'validation' of {path} must be the name of a file. Got {validation!r}.")
        if isinstance(settings.get("history"), str) and "history" not in changes:
            settings["history"] = path.parent / settings["history"]
        validation = None if validation is None else path.parent / validation
        return cls.from_data(path.parent / data, target, validation=validation, drop=drop, **settings)._saying(said)

    @classmethod
    def from_settings(cls, **settings: Any) -> AutoMLConfig:
        """Create a configuration from settings in the words of other AutoML services, or in those of `AutoMLConfig`.

        Parameters
        ----------
        **settings
            ``training_data`` and ``validation_data``, data frames with the column ``label_column_name``, or files;
            ``iterations`` (`max_iter`), ``primary_metric`` (`metric`), ``experiment_timeout_minutes`` (`time_budget`),
            ``n_cross_validations`` (`cv`), ``enable_stack_ensemble`` and ``enable_voting_ensemble`` (`ensemble`), and any
            setting of `AutoMLConfig`. `said` tells which word was taken for which.

        Returns
        -------
        AutoMLConfig
            The configuration, checked.

        Raises
        ------
        InvalidInputError
            If a setting is unknown, has no counterpart, or is given in both words.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from automl_explain import AutoMLConfig
        >>> iris = load_iris(as_frame=True).frame
        >>> config = AutoMLConfig.from_settings(training_data=iris, label_column_name="target", iterations=5)
        >>> config.max_iter, config.said[2]
        (5, 'iterations is max_iter (5)')
        """
        own, said = in_own_words(settings)
        known = [*DATA_KEYS, *(one.name for one in fields(cls) if one.init)]
        for name in own:
            if name not in known:
                guess = nearest(name, [*known, *WORDS])
                hint = f"Did you mean {guess!r}?" if guess else f"The settings are: {', '.join(known)}."
                raise InvalidInputError(f"There is no setting {name!r}. {hint}")
        if not {"data", "target"} <= own.keys() and not {"X", "y"} <= own.keys():
            raise InvalidInputError("Rows and labels are needed: training_data and label_column_name, or X and y.")
        if not isinstance(own.get("data"), pd.DataFrame):
            return (cls.from_data if "data" in own else cls)(**own)._saying(said)
        label = own.pop("target", None)
        for X, y, key in (("X", "y", "data"), ("X_valid", "y_valid", "validation")):
            table = own.pop(key, None)
            if table is None:
                continue
            if not isinstance(table, pd.DataFrame) or label not in table.columns:
                raise InvalidInputError(
                    f"'{key}' must be a data frame with the column {label!r}. Got {type(table).__name__}."
                )
            own |= {X: table.drop(columns=[label, *own.get("drop", ())]), y: table[label]}
        own.pop("drop", None)
        return cls(**own)._saying(said)

    def _saying(self, said: tuple[str, ...]) -> AutoMLConfig:
        """Return this configuration with messages before its own."""
        object.__setattr__(self, "dataset", replace(self.dataset, said=(*said, *self.dataset.said)))
        return self

    @classmethod
    @checked
    def from_data(
        cls,
        data: str | os.PathLike[str],
        target: str,
        *,
        validation: str | os.PathLike[str] | None = None,
        drop: Sequence[str] = (),
        **settings: Any,
    ) -> AutoMLConfig:
        """Create a configuration from data files.

        Parameters
        ----------
        data : path-like
            A CSV, TSV (also compressed) or Parquet file.
        target : str
            The column to predict.
        validation : path-like, optional
            Another such file. Default: a fifth of the rows.
        drop : sequence of str
            Columns to leave out.
        **settings
            Settings of `AutoMLConfig`.

        Returns
        -------
        AutoMLConfig
            The configuration, checked.

        Raises
        ------
        InvalidInputError
            If a file or a setting cannot be used.
        """
        seed, task, cv = settings.get("seed", 0), settings.get("task"), settings.get("cv")
        _check_seed(seed)
        _check_task(task)
        _check_folds(cv, validation is not None)
        given = None if validation is None else Path(validation)
        dataset = read_dataset(
            Path(data), target, task=task, validation=given, drop=tuple(drop), cv=cv, random_state=seed
        )
        tables = {"X": dataset.X_train, "y": dataset.y_train, "X_valid": dataset.X_valid, "y_valid": dataset.y_valid}
        config = cls(**tables, **{**settings, "task": dataset.task})
        object.__setattr__(config, "dataset", dataset)  # keeps the messages of reading
        return config


def _read_file(path: Path) -> dict[str, Any]:
    readers: dict[str, Callable[[str], Any]] = {
        ".toml": tomllib.loads,
        ".yaml": yaml.safe_load,
        ".yml": yaml.safe_load,
        ".json": json.loads,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidInputError(f"A configuration must be a file of {', '.join(readers)}. Got {path}.")
    try:
        read = reader(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:  # the decoders' errors are ValueErrors
        raise InvalidInputError(f"The configuration {path} cannot be read: {error}.") from error
    if not isinstance(read, dict) or not all(isinstance(name, str) for name in read):
        raise InvalidInputError(f"The configuration {path} must hold names and values. Got {type(read).__name__}.")
    return read


def _check_settings(config: AutoMLConfig) -> None:
    _check_task(config.task)
    for name, words in (("model_explainability", ()), ("ensemble", ("voting",))):
        value = getattr(config, name)
        if not isinstance(value, bool) and not (isinstance(value, str) and value in words):
            allowed = " or ".join(map(repr, (True, False, *words)))
            raise InvalidInputError(f"{name!r} must be {allowed}. Got {value!r}.")
    if not (_is_number(config.time_budget, Real) and 0 < config.time_budget < float("inf")):
        raise InvalidInputError(f"'time_budget' must be seconds greater than 0. Got {config.time_budget!r}.")
    _check_folds(config.cv, config.X_valid is not None)
    if config.objective is not None and not callable(config.objective):
        raise InvalidInputError(f"'objective' must be a function. Got {type(config.objective).__name__}.")
    if config.max_iter is not None:
        _check_number("max_iter", config.max_iter, Integral, 2)
    _check_seed(config.seed)
    if config.history is not None and not isinstance(config.history, str | os.PathLike | RunHistory):
        raise InvalidInputError(f"'history' must be a folder or a RunHistory. Got {config.history!r}.")
    if not isinstance(config.metric, str):
        raise InvalidInputError(f"'metric' must be the name of a metric. Got {config.metric!r}.")
    names = config.estimators
    listed = isinstance(names, list | tuple) and len(names) > 0 and all(isinstance(name, str) for name in names)
    if names is not None and not listed:
        raise InvalidInputError(f"'estimators' must be a list with the name of at least one learner. Got {names!r}.")


def _check_folds(cv: Any, validated: bool) -> None:
    if cv is not None:
        _check_number("cv", cv, Integral, 2)
        if validated:
            raise InvalidInputError("Models are scored on validation rows or by cv: leave one of them out.")


def _check_seed(seed: Any) -> None:
    _check_number("seed", seed, Integral, 0)
    if seed > LARGEST_SEED:
        raise InvalidInputError(f"'seed' must be at most {LARGEST_SEED}. Got {seed}.")


def _check_task(task: Any) -> None:
    if task is not None and not (isinstance(task, str) and task in TASKS):
        raise InvalidInputError(f"'task' must be one of {TASKS} or None. Got {task!r}.")


def _check_number(name: str, value: Any, kind: type, smallest: int) -> None:
    if not (_is_number(value, kind) and value >= smallest):
        raise InvalidInputError(f"{name!r} must be a whole number, {smallest} or more. Got {value!r}.")


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _features(table: Any, name: str) -> Features:
    if isinstance(table, pd.DataFrame):
        repeated = table.columns[table.columns.duplicated()].unique().tolist()
        if repeated:
            raise InvalidInputError(f"{name} must have one column per name. Repeated: {repeated[:5]}.")
        return table
    if sparse.issparse(table) and table.ndim == 2 and table.dtype.kind in "biuf":
        return sparse.csr_matrix(table)  # LightGBM does not accept csr arrays
    if isinstance(table, np.ndarray) and table.ndim == 2:
        return pd.DataFrame(table).infer_objects()
    shape = f" of shape {table.shape}" if hasattr(table, "shape") else ""
    raise InvalidInputError(
        f"{name} must be a DataFrame, an array or a sparse matrix of numbers (rows, columns). Got "
        f"{type(table).__name__}{shape}."
    )


def _series(target: Any, name: str) -> pd.Series:
    if isinstance(target, pd.DataFrame) and target.shape[1] == 1:
        return target.iloc[:, 0]
    if isinstance(target, pd.Series):
        return target
    values = array_of(target, f"{name} must be a Series or an array (rows,)")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind == "V":
        raise InvalidInputError(f"{name} must be a Series or an array (rows,). Got {type(target).__name__}.")
    return pd.Series(values, name=name)
