"""What arguments of public functions may be: one table of parameters, and what each constraint takes.

Parameters of one name mean the same everywhere, so that the table is by name; the few that do not have a line of their own. It
says which types are taken; the function itself checks what only it can know, such as whether a name exists.
"""

from __future__ import annotations

import errno
import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

LARGEST = 2**31 - 1
"""The largest whole number that all libraries that count with it take."""


class Constraint(NamedTuple):
    """What an argument may be.

    Parameters
    ----------
    takes : callable
        Whether a value is taken.
    what : str
        What is expected, for the message.
    wrong : tuple
        Values that are not taken, for tests.
    """

    takes: Callable[[Any], bool]
    what: str
    wrong: tuple[Any, ...]


def _or_none(constraint: Constraint) -> Constraint:
    wrong = tuple(value for value in constraint.wrong if value is not None)
    return Constraint(lambda value: value is None or constraint.takes(value), f"{constraint.what}, or None", wrong)


def _list_of(constraint: Constraint) -> Constraint:
    wrong = (0, 1.5, None, len, *([one] for one in constraint.wrong))
    return Constraint(
        lambda value: (
            _is_list(value) and not isinstance(value, Mapping | str | bytes) and all(map(constraint.takes, value))
        ),
        f"a list, in which each must be {constraint.what}",
        wrong,
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    """Whether it is a list of things of any kind, and not so long that nobody means it."""
    if isinstance(value, range):
        return (value.stop - value.start) // value.step <= LARGEST  # its length may be more than `len` can tell
    if isinstance(value, np.ndarray):
        return value.ndim > 0 and len(value) <= LARGEST  # one value may stand for all of its cells
    return (
        not isinstance(value, type)
        and not hasattr(value, "tocsr")
        and hasattr(value, "__len__")
        and hasattr(value, "__iter__")
    )


def _is_column(value: Any) -> bool:
    """Whether an array can be made of a value, which is a label or name for each place."""
    if not _is_list(value) or isinstance(value, Mapping | set | frozenset | str | bytes):
        return False
    try:
        return hasattr(value, "to_numpy") or np.asarray(value).dtype.kind != "V"
    except (ValueError, TypeError, MemoryError, RecursionError):
        return False  # such as lists of several lengths, or a range that no memory holds


def _is_label(value: Any) -> bool:
    """Whether a value can be looked up among labels: it is a single one, and equal to itself or a missing one."""
    if isinstance(value, range):
        return False
    try:
        hash(value)
        return bool(value == value) in (True, False)
    except TypeError:
        return False  # such as of lists, arrays and frames, and of pandas' missing value


def _names_a_place(value: Any) -> bool:
    """Whether the file system takes a path: it has no NUL byte, and no name in it is too long."""
    if not isinstance(value, str | os.PathLike):
        return False
    try:
        os.lstat(value)
    except FileNotFoundError:
        return True
    except (ValueError, TypeError):
        return False
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG
    return True


class _Sparse:
    """Stands for a sparse matrix in tests: it has a length that cannot be told."""

    tocsr = None

    def __len__(self) -> int:
        raise TypeError


TEXT = Constraint(lambda value: isinstance(value, str), "text", (0, None, [], {}, np.array(["a"]), b"a"))
FLAG = Constraint(
    lambda value: isinstance(value, bool | np.bool_), "True or False", ("yes", None, [], np.array([1, 2]), 2)
)


def _whole_from(least: int) -> Constraint:
    """Return the constraint of whole numbers that a C library can count with."""
    return Constraint(
        lambda value: _is_whole(value) and least <= value <= LARGEST,
        f"an integer, {least} or more",
        (1.5, "a", None, True, least - 1, -1, 2**31, 2**70, [], np.array([1, 2])),
    )


def _number(takes: Callable[[float], bool], what: str, *wrong: Any) -> Constraint:
    """Return the constraint of a single number, but for NaN."""
    return Constraint(
        lambda value: takes(_float(value)),
        what,
        ("a", None, True, np.nan, 1j, 10**400, [], np.array([1.0, 2.0]), *wrong),
    )


def _float(value: Any) -> float:
    """Return a number as a float; NaN for what is none, or too large."""
    if isinstance(value, bool | complex | np.complexfloating) or not isinstance(value, int | float | np.number):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


COUNT, WHOLE, TWO_OR_MORE = _whole_from(1), _whole_from(0), _whole_from(2)
WHOLE_SIZE = Constraint(lambda value: _is_whole(value) and value >= 0, "a number of bytes", (1.5, "a", None, True, -1))
NUMBER = _number(lambda value: value == value, "a number")
NOT_NEGATIVE = _number(lambda value: value >= 0.0, "a number, 0 or more", -1.0)
POSITIVE = _number(lambda value: 0.0 < value < math.inf, "a finite number above 0", 0.0, -1.0, np.inf)
SHARE = _number(lambda value: 0.0 < value <= 1.0, "a number above 0 and up to 1", 0, 1.5)
LIST = Constraint(
    lambda value: (
        _is_list(value) and (not isinstance(value, np.ndarray) or (value.ndim == 1 and value.dtype.kind != "V"))
    ),
    "a list",
    (0, 1.5, None, _Sparse(), len, np.ones((2, 2)), np.zeros(2, "i4,f8")),
)
LABELS = Constraint(
    _is_column,
    "an array of labels",
    (0, None, {}, set(), "ab", _Sparse(), [[1, 2], [3]], range(10**12), np.zeros(2, "i4,f8")),
)
LABELS_OR_NOT = _or_none(
    Constraint(lambda value: value is False or LABELS.takes(value), "an array of labels, False", LABELS.wrong)
)
TEXTS = Constraint(
    lambda value: isinstance(value, str) or (_is_list(value) and all(isinstance(one, str) for one in value)),
    "a text or a list of texts",
    (0, None, 1.5, len, [1], b"a"),
)
MAPPING = Constraint(lambda value: isinstance(value, Mapping), "a mapping", (0, None, "a", [1], np.array([1, 2])))
PATH = Constraint(_names_a_place, "a path of the file system", (0, None, 1.5, b"a", [], "a\0b", "x" * 10_000))
AXES = Constraint(
    lambda value: hasattr(value, "get_figure") and hasattr(value, "barh"),
    "axes of matplotlib",
    (0, None, "a", np.array([1])),
)
PATHS = Constraint(
    lambda value: (
        PATH.takes(value) or (isinstance(value, list | tuple) and len(value) > 0 and all(map(PATH.takes, value)))
    ),
    "a path of the file system or a list of them",
    (0, None, 1.5, b"a", [], {"a": 1}, [0], "a\0b", "x" * 10_000),
)
EXPLANATION = Constraint(
    lambda value: hasattr(value, "global_importance_values") and hasattr(value, "num_features"),
    "an Explanation",
    (0, None, "a", [], np.array([1])),
)
PARTIAL = Constraint(
    lambda value: hasattr(value, "merge") and hasattr(value, "num_rows"), "a PartialImportance", (0, None, "a", [])
)
FEATURE_MAP = Constraint(
    lambda value: hasattr(value, "raw_names") and hasattr(value, "parent"), "a FeatureMap", (0, None, "a", [])
)

STORED = Constraint(
    lambda value: hasattr(value, "global_importance_values") and hasattr(value, "save"),
    "an explanation",
    (0, None, "a", [], np.array([1])),
)
ID = Constraint(
    lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", value) is not None,
    "an id of up to 100 letters, digits, '-', '_' and '.'",
    (0, None, "", "../other", "a\0b", "a" * 101, []),
)
HISTORY = Constraint(
    lambda value: hasattr(value, "run") and hasattr(value, "explanation"), "a run history", (0, None, "a", [], {})
)
JSON_BODY = Constraint(lambda value: isinstance(value, str | bytes), "text or bytes of JSON", (0, None, 1.5, [], {}))
LIMITS = Constraint(lambda value: hasattr(value, "max_body"), "ServiceLimits", (0, None, "a", [], {}))
COLUMNS = Constraint(lambda value: hasattr(value, "output_class"), "RowColumns", (0, None, "a", [], {}))
LABEL = Constraint(_is_label, "a single label", ([], {}, np.array([1, 2])))
RUNS = Constraint(lambda value: True, "the runs of a search, which the function reads itself", ())

FUNCTION = Constraint(callable, "a function", (0, None, "a", [], np.array([1])))

PARAMETERS: dict[str, Constraint] = {
    "output": TEXT,
    "model_task": _or_none(TEXT),
    "feature_space": _or_none(TEXT),
    "features": _or_none(LIST._replace(what="a list of names")),
    "classes": _or_none(LIST._replace(what="a list of names")),
    "explain_subset": _or_none(LIST._replace(what="a list of one or more features")),
    "categorical_features": LIST,
    "explainable_model_args": _or_none(MAPPING),
    "augment_data": FLAG,
    "model_explainability": FLAG,
    "fine_tune": FLAG,
    "sample_around_instance": FLAG,
    "include_local": FLAG,
    "progress": _or_none(FLAG),
    "top_k": _or_none(COUNT),
    "n_segments": COUNT,
    "nsamples": TWO_OR_MORE,
    "top_classes": COUNT,
    "batch_size": _or_none(COUNT),
    "epochs": _or_none(COUNT),
    "n_repeats": COUNT,
    "n_random": COUNT,
    "max_examples": _or_none(COUNT),
    "share": SHARE,
    "occurrences": FLAG,
    "tokenizer": _or_none(FUNCTION),
    "stacked": _or_none(FLAG),
    "ax": _or_none(AXES),
    "feature_map": _or_none(FEATURE_MAP),
    "directory": _or_none(PATH),
    "path": PATH,
    "text_detail": _or_none(TEXTS),
    "y_train": _or_none(LABELS),
    "y_test": _or_none(LABELS),
    "members": FLAG,
    "reference": EXPLANATION,
    "preprocess": _or_none(FUNCTION),
    "alpha": _or_none(NOT_NEGATIVE),
    "max_iter": COUNT,
    "max_depth": _or_none(COUNT),
    "max_leaf_nodes": _or_none(TWO_OR_MORE),
    "min_samples_leaf": COUNT,
    "n_estimators": COUNT,
    "num_leaves": TWO_OR_MORE,
    "learning_rate": POSITIVE,
    "min_child_samples": WHOLE,
    "most": COUNT,
    "image": _or_none(LABEL),
    "text": WHOLE,
    "total": WHOLE,
    "n": COUNT,
    "width": COUNT,
    "spread": FLAG,
    "outlines": FLAG,
    "per_example": FLAG,
    "get_raw": FLAG,
    "with_rows": FLAG,
    "exist_ok": FLAG,
    "as_list": FLAG,
    "allow_pickle": FLAG,
    "complete": FLAG,
    "share_rows": FLAG,
    "raw": _or_none(FLAG),
    "label": _or_none(LABEL),
    "class_": _or_none(LABEL),
    "member": TEXT,
    "y": _or_none(LABELS),
    "true_labels": _or_none(LABELS),
    "max_change": _or_none(NOT_NEGATIVE),
    "min_correlation": _or_none(NUMBER),
    "comment": _or_none(TEXT),
    "explanation_id": _or_none(TEXT),
    "run_id": TEXT,
    "search": _or_none(TEXT),
    "title": _or_none(TEXT),
    "token": _or_none(TEXT),
    "facts": _or_none(MAPPING),
    "seconds": _or_none(NOT_NEGATIVE),
    "search_seconds": NOT_NEGATIVE,
    "embedding": _or_none(PATH),
    "trusted": LIST,
    "part_rows": COUNT,
    "max_bytes": WHOLE_SIZE,
    "max_rows": _or_none(COUNT),
    "bundle": PATH,
    "wheel": _or_none(PATH),
    "dashboard": _or_none(PATH),
}
"""Name of a parameter -> what it may be."""
OF_FUNCTIONS: dict[str, Constraint] = {
    "PartialImportance.add.explanation": EXPLANATION,
    "RunHistory.store.explanation": STORED,
    "ScoringExplainer.with_importance.explanation": _or_none(EXPLANATION),
    "save.model": _or_none(TEXT),
    "ScoreFile.run.raw_data": JSON_BODY,
    "create_app.limits": _or_none(LIMITS),
    "explain_files.columns": _or_none(COLUMNS),
    "explain_files.where": _list_of(TEXT),
    "explain_files.data": PATHS,
    "RunHistory.store.part_losses": _list_of(NUMBER),
    "RunHistory.add_runs.runs": _list_of(MAPPING),
    "RunHistory.remove_search.search": TEXT,
    "PartialImportance.merge.other": PARTIAL,
    "plot_importance_history.search": RUNS,
    "plot_search_importance.search": RUNS,
    "AutoMLConfig.from_data.data": PATH,
    "AutoMLConfig.from_data.target": TEXT,
    "AutoMLConfig.from_data.validation": _or_none(PATH),
    "AutoMLConfig.from_data.drop": _list_of(TEXT),
    "ExplanationDashboard.__init__.true_labels": LABELS_OR_NOT,
    "export_service.directory": PATH,
    "load.directory": PATH,
    "inspect_bundle.directory": PATH,
    "save.directory": PATH,
    "save_plots.directory": PATH,
    "explain_files.directory": PATH,
    "RunHistory.start_search.search": _or_none(ID),
    "RunHistory.start_search.engine": TEXT,
    "retrieve_model_explanation.history": _or_none(HISTORY),
    "RunHistory.start_search.task": TEXT,
    "RunHistory.start_search.facts": MAPPING,
    "RunHistory.set_status.status": TEXT,
    "RunHistory.set_status.why": TEXT,
    "StoredRuns.named.name": TEXT,
    "Experiment.__init__.name": TEXT,
    "ScoreFile.__init__.name": TEXT,
    "log_scoring_explainer.name": TEXT,
    "RunHistory.store.comment": TEXT,
    "ScoreFile.__init__.max_rows": COUNT,
}
"""Parameters that mean something else in one function, or that it cannot do without -> what they may be."""


def constraint_of(function: str, name: str) -> Constraint | None:
    """Return what a parameter of a function may be; None if the function checks it itself.

    Parameters
    ----------
    function : str
        Its qualified name.
    name : str
    """
    return OF_FUNCTIONS.get(f"{function}.{name}", PARAMETERS.get(name))
