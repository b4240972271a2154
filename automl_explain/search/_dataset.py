"""Read a data file or check given tables, and split the rows into training and validation rows."""

from __future__ import annotations

import lzma
import math
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from automl_explain.explainers._arguments import nearest
from automl_explain.explainers._errors import InvalidInputError, MissingExtraError
from automl_explain.search._dates import date_columns, with_dates
from automl_explain.search._target import AS_ASKED, MANY_CLASSES, Task, settled

VALIDATION_SHARE = 0.2
"""Share of the rows used for validation."""
FEWEST_ROWS = 10
"""Minimum number of rows of a search, so that there are rows for validation."""
Features: TypeAlias = pd.DataFrame | sparse.csr_matrix
"""Rows of a search; sparse if the user's rows were."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A split data set, with messages about how it was read.

    Parameters
    ----------
    X_train, y_train : DataFrame or csr_matrix, Series
    X_valid, y_valid : DataFrame or csr_matrix, Series, or None
        None if models are scored by cross-validation.
    task : {"classification", "regression"}
    said : tuple of str
        Messages about what was inferred and done.
    """

    X_train: Features
    X_valid: Features | None
    y_train: pd.Series
    y_valid: pd.Series | None
    task: Task
    said: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Kind of prediction: "binary", "multiclass" or "regression"."""
        if self.task == "regression":
            return "regression"
        return "binary" if self.y_train.nunique() == 2 else "multiclass"


def read_dataset(
    path: str | Path,
    target: str,
    *,
    task: Task | None = None,
    validation: str | Path | None = None,
    drop: tuple[str, ...] = (),
    cv: int | None = None,
    random_state: int = 0,
) -> Dataset:
    """Read a CSV or Parquet file and split it.

    Parameters
    ----------
    path : path-like
        A ``.csv`` or ``.tsv`` file, optionally compressed, or a ``.parquet`` file.
    target : str
        Column to predict.
    task : {"classification", "regression"}, optional
        Default: inferred from the target.
    validation : path-like, optional
        A file of validation rows. Default: a fifth of the rows, drawn at random.
    drop : tuple of str
        Columns to leave out.
    cv : int, optional
        Number of cross-validation folds, instead of validation rows.
    random_state : int, default 0
        Seed of the split.

    Raises
    ------
    InvalidInputError
        If the file, the target or a column cannot be used.
    """
    X, y, said = _features_and_target(read_table(path), target, drop, str(path))
    dates = date_columns(X)
    X = with_dates(X, dates, path)
    if dates:
        said.append(f"dates: every cell of {', '.join(map(str, dates))} is a date or missing")
    y, task, why = settled(y, task)
    said.append(f"task: {task}, {why}")
    if validation is not None:
        X_valid, y_valid, more = _features_and_target(read_table(validation), target, drop, str(validation))
        unknown = [name for name in X.columns if name not in X_valid.columns]
        if unknown:
            raise InvalidInputError(f"{validation} lacks columns that {path} has: {unknown[:5]}.")
        X_valid = with_dates(X_valid[X.columns], dates, validation)
        y_valid = settled(y_valid, task)[0]
        said += [*more, f"validation: {len(y_valid):,} rows of {validation}"]
        return _checked(Dataset(X, X_valid, y, y_valid, task, tuple(said)), target)
    return split(X, y, task, said, target=target, cv=cv, random_state=random_state)


def given_dataset(
    X: Features,
    y: pd.Series,
    valid: tuple[Features, pd.Series] | None,
    *,
    task: Task | None = None,
    cv: int | None = None,
    random_state: int = 0,
) -> Dataset:
    """Check given tables, and split them if there are no validation rows.

    Raises
    ------
    InvalidInputError
        If rows or columns do not match, or cannot be used.
    """
    for features, labels, name in ((X, y, "y"), *([(*valid, "y_valid")] if valid else [])):
        if features.shape[0] != len(labels):
            raise InvalidInputError(
                f"{name} must have a value for each row: {features.shape[0]:,}. Got {len(labels):,}."
            )
        if labels.isna().any():
            raise InvalidInputError(f"{name} has {int(labels.isna().sum()):,} missing values. Leave those rows out.")
    y, settled_task, why = settled(y, task)
    said = [] if why == AS_ASKED else [f"task: {settled_task}, {why}"]
    target = str(y.name)
    if valid is None:
        return split(X, y, settled_task, said, target=target, cv=cv, random_state=random_state)
    X_valid, y_valid = valid
    y_valid = settled(y_valid, settled_task)[0]
    said.append(f"validation: {len(y_valid):,} rows that were given")
    return _checked(Dataset(X, _like(X, X_valid), y, y_valid, settled_task, tuple(said)), target)


def _like(X: Features, X_valid: Features) -> Features:
    """Return the validation rows with the columns of the training rows, in the same order."""
    if sparse.issparse(X) or sparse.issparse(X_valid):
        if not (sparse.issparse(X) and sparse.issparse(X_valid)) or X.shape[1] != X_valid.shape[1]:
            kinds = [f"{'sparse' if sparse.issparse(table) else 'dense'} {table.shape}" for table in (X, X_valid)]
            raise InvalidInputError(
                f"X and X_valid must both be sparse or both dense, with equally many columns. Got {kinds[0]} and {kinds[1]}."
            )
        return X_valid
    if set(X_valid.columns) != set(X.columns):
        different = sorted(map(str, set(X_valid.columns) ^ set(X.columns)))
        raise InvalidInputError(f"X_valid must have the columns of X. These are in only one of them: {different[:5]}.")
    return X_valid[X.columns]


def split(
    X: Features,
    y: pd.Series,
    task: Task,
    said: list[str],
    *,
    target: str,
    cv: int | None = None,
    random_state: int = 0,
) -> Dataset:
    """Use a fifth of the rows for validation; in a classification, a fifth of each class and at least one row.

    A class with a single row cannot be both learned and validated: its row is left out, with a message. With `cv`, all rows
    are kept for training and for the folds.
    """
    said = list(said)
    if task == "classification":
        alone = y.map(y.value_counts()).to_numpy(dtype=int) == 1
        if alone.any() and not alone.all():
            said.append(
                f"left out {alone.sum()} rows, each the only one of its class: {sorted(map(str, y[alone]))[:5]}"
            )
            X, y = X[~alone], y[~alone]
    if len(y) < FEWEST_ROWS:
        raise InvalidInputError(
            f"A search needs at least {FEWEST_ROWS} rows, some of them for validation. Got {len(y)}."
        )
    if cv is not None:
        fewest = len(y) if task == "regression" else int(y.value_counts().min())
        if fewest < cv:
            of = "rows" if task == "regression" else f"rows of each class of {target!r}"
            raise InvalidInputError(f"A cross-validation with cv={cv} needs {cv} {of}. The fewest are {fewest}.")
        said.append(f"validation: {cv} folds of the {len(y):,} rows (seed {random_state})")
        return _checked(Dataset(X, None, y, None, task, tuple(said)), target)
    chosen = np.zeros(len(y), dtype=bool)
    chosen[_validation_rows(y, task, np.random.default_rng(random_state))] = True
    how = "with the classes in proportion" if task == "classification" else "at random"
    said.append(f"validation: {chosen.sum():,} of {len(y):,} rows, drawn {how} (seed {random_state})")
    return _checked(Dataset(X[~chosen], X[chosen], y[~chosen], y[chosen], task, tuple(said)), target)


def _validation_rows(y: pd.Series, task: Task, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return the numbers of about a fifth of the rows, with every class, since FLAML can score no other validation set."""
    if task == "regression":
        return rng.permutation(len(y))[: math.ceil(VALIDATION_SHARE * len(y))]
    groups = pd.factorize(y)[0]
    if len(groups) > 1 and groups.max() + 1 == len(groups):
        raise InvalidInputError(
            "Every row has a different label in the target: there is nothing to learn. Choose another target, or use "
            "--task regression."
        )
    parts = []
    for group in range(groups.max() + 1):
        rows = rng.permutation(np.flatnonzero(groups == group))
        parts.append(rows[: max(1, round(VALIDATION_SHARE * len(rows)))])
    return np.concatenate(parts)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV, TSV or Parquet file.

    Raises
    ------
    InvalidInputError
        If the file does not exist, is of another kind, or is empty.
    MissingExtraError
        If reading Parquet needs a package that is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidInputError(f"There is no file {path}.")
    kinds = [suffix.lower() for suffix in path.suffixes]
    try:
        if ".parquet" in kinds or ".pq" in kinds:
            frame = pd.read_parquet(path)
        elif ".csv" in kinds or ".tsv" in kinds or ".txt" in kinds:
            frame = pd.read_csv(path, sep="\t" if ".tsv" in kinds else ",", skipinitialspace=True, low_memory=False)
        else:
            raise InvalidInputError(f"{path} must be a .csv, .tsv (also compressed) or .parquet file.")
    except ImportError as error:
        raise MissingExtraError("Reading Parquet needs pyarrow: pip install 'automl-explain[parquet]'") from error
    except pd.errors.EmptyDataError as error:
        raise InvalidInputError(f"{path} is empty: it has no columns.") from error
    except (ValueError, OSError, EOFError, lzma.LZMAError, zlib.error) as error:  # the last three: truncated or corrupt
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"{path} cannot be read as a table: {str(error).strip().rstrip('.')}.") from error
    if frame.empty:
        raise InvalidInputError(f"{path} is empty: it has {frame.shape[1]} columns and no rows.")
    return frame


def _features_and_target(
    frame: pd.DataFrame, target: str, drop: tuple[str, ...], source: str
) -> tuple[pd.DataFrame, pd.Series, list[str]]:
    for name in (target, *drop):
        if name not in frame.columns:
            guess = nearest(name, list(map(str, frame.columns)))
            hint = f" Did you mean {guess!r}?" if guess else f" It has: {', '.join(map(str, frame.columns[:12]))}."
            raise InvalidInputError(f"{source} has no column {name!r}.{hint}")
    said = [f"data: {len(frame):,} rows x {frame.shape[1] - 1} columns of {source}"]
    missing = frame[target].isna()
    if missing.all():
        raise InvalidInputError(f"The target {target!r} has no values in {source}.")
    if missing.any():
        said.append(f"left out {int(missing.sum()):,} rows without a target")
        frame = frame[~missing]
    X = frame.drop(columns=[target, *drop])
    empty = X.columns[X.isna().all()].tolist()
    if empty:
        flags = " ".join(f"--drop {name}" for name in empty[:3])
        raise InvalidInputError(f"These columns have no values: {empty[:5]}. Leave them out: {flags}")
    if X.shape[1] == 0:
        raise InvalidInputError(f"{source} has no columns except the target {target!r}.")
    return X, frame[target], said


def _kind(label: Any) -> type:
    """Return the type of a label; all numbers count as one."""
    return float if isinstance(label, bool | int | float | np.number | np.bool_) else type(label)


def _checked(dataset: Dataset, target: str) -> Dataset:
    if sparse.issparse(dataset.X_train):
        _refuse_unusable_numbers(dataset)
    else:
        _refuse_unusable_columns(dataset, target)
    labels: Any = dataset.y_train.unique()
    if dataset.task == "classification" and len(labels) >= MANY_CLASSES:
        slow = f"{len(labels):,} classes: one trial alone may take longer than a short time budget, and is not stopped"
        dataset = replace(dataset, said=(*dataset.said, slow))
    if dataset.task == "classification" and len(labels) < 2:
        raise InvalidInputError(f"The target {target!r} has only one class, {labels[0]!r}: there is nothing to learn.")
    if dataset.task == "classification" and len({_kind(label) for label in labels}) > 1:
        kinds = {_kind(label): label for label in labels}
        raise InvalidInputError(
            f"The labels of {target!r} are of several types, such as {' and '.join(map(repr, list(kinds.values())[:2]))}, which "
            "cannot be put in order. Make them texts: y.astype(str)."
        )
    if dataset.task == "regression" and not pd.api.types.is_numeric_dtype(dataset.y_train):
        raise InvalidInputError(f"A regression needs a numeric target. {target!r} has {dataset.y_train.dtype} values.")
    if dataset.y_valid is None:
        return dataset
    unseen = set(dataset.y_valid.unique()) - set(labels) if dataset.task == "classification" else set()
    if unseen:
        raise InvalidInputError(
            f"The validation rows have classes of {target!r} that the training rows do not: {sorted(map(str, unseen))[:5]}."
        )
    unscored = set(labels) - set(dataset.y_valid.unique()) if dataset.task == "classification" else set()
    if unscored:
        raise InvalidInputError(
            f"The validation rows do not have all classes of {target!r} in the training rows, so that no model can be "
            f"scored. Missing: {sorted(map(str, unscored))[:5]}."
        )
    return dataset


def _refuse_unusable_numbers(dataset: Dataset) -> None:
    """Raise an error for missing and infinite numbers in sparse rows, which linear models cannot use."""
    for name, table in (("X", dataset.X_train), ("X_valid", dataset.X_valid)):
        if table is not None and not np.isfinite(table.data).all():
            n_bad = int((~np.isfinite(table.data)).sum())
            raise InvalidInputError(f"A sparse {name} must have finite numbers. {n_bad:,} are NaN or infinite.")


def _refuse_unusable_columns(dataset: Dataset, target: str) -> None:
    """Raise an error for what no learner takes: infinite numbers, nested cells, text in numeric columns."""
    X_train = dataset.X_train
    X_valid, y_valid = (X_train, dataset.y_train) if dataset.X_valid is None else (dataset.X_valid, dataset.y_valid)
    for table in (X_train, X_valid, pd.DataFrame({target: dataset.y_train}), pd.DataFrame({target: y_valid})):
        numbers = table.select_dtypes("number")
        infinite = numbers.columns[np.isinf(numbers.to_numpy(dtype=float, na_value=np.nan)).any(axis=0)].tolist()
        if infinite:
            raise InvalidInputError(
                f"These columns have infinite numbers: {infinite[:5]}. Replace the numbers, or leave the columns out with --drop."
            )
    for name in X_train.columns:
        cells = X_train[name].dropna()
        if len(cells) and not pd.api.types.is_scalar(cells.iloc[0]):
            kind = type(cells.iloc[0]).__name__
            raise InvalidInputError(
                f"Column {name!r} has {kind} cells, not numbers or text. Leave it out: --drop {name}"
            )
        numeric = pd.api.types.is_numeric_dtype(X_train[name])
        if numeric and not pd.api.types.is_numeric_dtype(X_valid[name]):
            raise InvalidInputError(
                f"Column {name!r} has numbers in the training rows and text in the validation rows."
            )
