"""Match the models that a scorer captured with the candidates in a scikit-learn search's results."""

from __future__ import annotations

import hashlib
import math
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import accumulate
from typing import Any

import numpy as np
from sklearn.base import clone

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import describe
from automl_explain.integrations.history.index_tables._progress import finite_or_none
from automl_explain.integrations.sealed._spool import Spooled
from automl_explain.integrations.searches._captured_run import CapturedRun, RunTables, learner_name
from automl_explain.integrations.searches._memory import model_bytes

ALIKE = (
    "the scorer was used by two searches with the same hyperparameters and scores over different rows, so that their models "
    "cannot be distinguished: explain a search before the scorer is used by the next one, or use one scorer per search"
)

MIXED = (
    "the scorer has more models of these hyperparameters than this search has folds, so that they cannot be distinguished "
    "from another search's: explain a search before the scorer is used by the next one, or use one scorer per search"
)


@dataclass(eq=False)
class Capture:
    """A fitted candidate of one fold.

    Parameters
    ----------
    key : str
        Key of its hyperparameters.
    rows : str
        Key of the fold's validation rows.
    score : float, or mapping of str to float
        What the scorer returned.
    model : object or None
        The model, if it is in memory.
    file : Spooled or None
        Otherwise the file of the worker process that scored it.
    why : str
        Why there is no model.
    failed : bool
        Whether that is an error.
    at : int
        When it was scored, in nanoseconds.
    """

    key: str
    rows: str
    score: Any
    model: Any = None
    file: Spooled | None = None
    why: str = ""
    failed: bool = False
    at: int = field(default_factory=time.time_ns)
    nbytes: int = 0

    def __post_init__(self) -> None:
        if self.model is not None:
            self.nbytes = model_bytes(self.model)

    @staticmethod
    def of_file(file: Spooled) -> Capture:
        """Return what a worker process has written to a file."""
        key, rows, score, at = file.note
        return Capture(key, rows, score, file=file, why=file.why, failed=bool(file.why), at=at)

    @property
    def loss(self) -> float | None:
        """Its first score with the sign changed: the rank by which models are released when memory is short."""
        return -next(iter(self.scores.values()))

    def release(self, why: str) -> None:
        """Drop the model and record why."""
        self.model, self.file, self.nbytes, self.why = None, None, 0, why

    @property
    def scores(self) -> dict[str, float]:
        """What the scorer returned, by name."""
        return scores_by_name(self.score)

    def load(self) -> Any:
        """Return the model."""
        return self.model if self.file is None else self.file.load()


@dataclass(frozen=True, eq=False)
class Candidate:
    """One candidate of a search's results.

    Parameters
    ----------
    params : mapping
        Its hyperparameters, as in the results.
    estimator : object
        The unfitted candidate.
    scores : tuple of dict
        Scores by name, for each split.
    error_score : float
        The value in the results where fitting or scoring failed.
    found : tuple of Capture
        The models of its folds; empty if one is missing.
    why : str
        Why a model is missing.
    failed : bool
        Whether that is an error.
    """

    params: Mapping[str, Any]
    estimator: Any
    scores: tuple[dict[str, float], ...]
    error_score: float = math.nan
    found: tuple[Capture, ...] = ()
    why: str = ""
    failed: bool = False

    def scored(self, split: int) -> bool:
        """Whether a split has scores, rather than the value for a failure."""
        scores = self.scores[split].values()
        return not (any(map(math.isnan, scores)) or all(score == self.error_score for score in scores))

    @cached_property
    def key(self) -> str:
        """Key of its hyperparameters."""
        return candidate_key(self.estimator)


def fit_key(search: Any) -> str:
    """Return a key of one fit of a search, made from its results and times; pickling the search keeps it."""
    digest = hashlib.blake2b(digest_size=16)
    for name, column in sorted(search.cv_results_.items()):
        if name.endswith(("_time", "_score")):
            digest.update(np.asarray(column, dtype=np.float64).tobytes())
    return digest.hexdigest()


def match(search: Any, captures: Sequence[Capture]) -> tuple[list[Candidate], list[Capture]]:
    """Return a search's candidates with the models of their folds, and the captures that belong to none of them.

    The captures of a search follow each other in time, and have its hyperparameters and scores.
    """
    candidates = list(_lines(search))
    ordered = sorted(captures, key=lambda capture: capture.at)
    places, length = _stretches(candidates, ordered)
    stretches = [ordered[start : start + length] for start in places]
    stretches = [stretch for stretch in stretches if not _of_several_tables(search, stretch)]
    if any({one.rows for one in other} != {one.rows for one in stretches[0]} for other in stretches[1:]):
        return [replace(candidate, why=ALIKE, failed=True) for candidate in candidates], list(captures)
    if not stretches and _is_mixed(search, candidates, ordered):
        return [replace(candidate, why=MIXED, failed=True) for candidate in candidates], list(captures)
    own = stretches[0] if stretches else ordered
    matched, left = _matched(candidates, own)
    taken = set(own).difference(left)
    return matched, [capture for capture in captures if capture not in taken]


def as_runs(
    search: Any, candidates: Sequence[Candidate], tables: Callable[[Sequence[str]], RunTables]
) -> list[CapturedRun]:
    """Return a run for each candidate.

    Parameters
    ----------
    search : fitted search
    candidates : sequence of Candidate
    tables : callable
        From the keys of the folds' rows to the tables that the run is explained on.
    """
    results = search.cv_results_
    metric, losses = metric_of(search)
    sizes = results["n_resources"] if getattr(search, "resource", None) == "n_samples" else None
    kept: dict[tuple[str, ...], RunTables] = {}
    runs = []
    for number, (candidate, loss) in enumerate(zip(candidates, losses, strict=True)):
        run = CapturedRun(
            number, learner_name(candidate.estimator), dict(candidate.params), finite_or_none(float(loss)),
            metric, sample_size=None if sizes is None else int(sizes[number]), why=candidate.why, failed=candidate.failed,
            part_losses=_part_losses(search, number),
        )  # fmt: skip
        if candidate.found:
            keys = tuple(capture.rows for capture in candidate.found)
            run.tables = kept.setdefault(keys, tables(keys)) if keys not in kept else kept[keys]
            run.read, run.fitted_to_rows = partial(_read, candidate.found, run.tables), len(keys) > 1
        runs.append(run)
    return runs


def run_of_fold(capture: Capture, tables: RunTables) -> CapturedRun:
    """Return the model of a fold as a run by itself, on the rows of the fold."""
    return CapturedRun(
        0, learner_name(capture.model), {}, capture.loss, "", tables=tables, read=partial(_read, [capture], tables)
    )


def _part_losses(search: Any, number: int) -> tuple[float, ...]:
    """Return the losses of a candidate's folds; none if one is missing."""
    name = _metric_name(search)
    losses = tuple(-float(search.cv_results_[f"split{split}_test_{name}"][number]) for split in range(search.n_splits_))
    return losses if np.isfinite(losses).all() else ()


def _metric_name(search: Any) -> str:
    names = [name.removeprefix("mean_test_") for name in search.cv_results_ if name.startswith("mean_test_")]
    return str(search.refit if search.refit in names else names[0])


def metric_of(search: Any) -> tuple[str, Any]:
    """Return the name of the loss and the loss of each candidate: the mean score with its sign changed."""
    results, name = search.cv_results_, _metric_name(search)
    scoring = search.scoring.scoring
    shown = name if name != "score" else scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    return loss_name(shown), -np.asarray(results[f"mean_test_{name}"], dtype=np.float64)


def facts_of(search: Any, seconds: float) -> dict[str, Any]:
    """Return what is recorded of a search."""
    return {
        "metric": metric_of(search)[0],
        "search": type(search).__name__,
        "estimator": type(search.estimator).__name__,
        "evaluation": f"cross-validation, {search.n_splits_} splits",
        "search_seconds": round(seconds, 3),
    }


def loss_name(scoring: str) -> str:
    """Return the name of the loss of a score: a score that is the negative of an error is named after the error."""
    return scoring.removeprefix("neg_") if scoring.startswith("neg_") else f"-{scoring}"


def _lines(search: Any) -> Iterator[Candidate]:
    """Yield the candidates of a search's results, without models."""
    results = search.cv_results_
    error_score = math.nan if search.error_score == "raise" else float(search.error_score)
    for number, params in enumerate(results["params"]):
        estimator = clone(search.estimator).set_params(**clone(params, safe=False))
        scores = tuple(_split_scores(results, number, split) for split in range(search.n_splits_))
        yield Candidate(params, estimator, scores, error_score)


def _is_mixed(search: Any, candidates: Sequence[Candidate], captures: Sequence[Capture]) -> bool:
    """Whether there are more captures, or more different sets of rows, than one search has folds."""
    folds: Counter[str] = Counter()
    for candidate in candidates:
        folds[candidate.key] += len(candidate.scores)
    own = [capture for capture in captures if capture.key in folds]
    held = Counter(capture.key for capture in own)
    return any(held[key] > folds[key] for key in held) or _of_several_tables(search, own)


def _of_several_tables(search: Any, captures: Sequence[Capture]) -> bool:
    """Whether the captures have more different sets of rows than one search has folds."""
    rows = {capture.rows for capture in captures if not capture.why}
    n_folds: int = search.n_splits_ * getattr(search, "n_iterations_", 1)
    return len(rows) > n_folds


def _stretches(candidates: Sequence[Candidate], ordered: Sequence[Capture]) -> tuple[list[int], int]:
    """Return the positions at which a sequence of captures begins that matches all scored folds, and its length."""
    wanted = [
        hash((one.key, *sorted(scores.items())))
        for one in candidates
        for split, scores in enumerate(one.scores)
        if one.scored(split)
    ]
    sums = [0, *accumulate(hash((one.key, *sorted(one.scores.items()))) for one in ordered)]
    length, total = len(wanted), sum(wanted)
    places: list[int] = []
    for start in range(len(ordered) - length + 1):
        apart = not places or start >= places[-1] + length
        if apart and sums[start + length] - sums[start] == total:
            places.append(start)
    return places, length


def _matched(candidates: Sequence[Candidate], ordered: Sequence[Capture]) -> tuple[list[Candidate], list[Capture]]:
    by_key: dict[str, list[Capture]] = {}
    for capture in ordered:
        by_key.setdefault(capture.key, []).append(capture)
    alike = Counter(candidate.key for candidate in candidates)
    # Folds may have equal rows, such as those of LeaveOneOut with repeated rows: each candidate gets its share of them.
    times = {
        fold: math.ceil(count / max(alike[fold[0]], 1))
        for fold, count in Counter((c.key, c.rows) for c in ordered).items()
    }
    matched = [_with_models(candidate, by_key.get(candidate.key, []), times) for candidate in candidates]
    return matched, [capture for left in by_key.values() for capture in left]


def _with_models(candidate: Candidate, captures: list[Capture], times: Mapping[tuple[str, str], int]) -> Candidate:
    """Return the candidate with the captures that gave its scores, or with the reason why one is missing.

    The captures are removed from the list. `times` has the number of folds that may have the same rows.
    """
    found: list[Capture] = []
    used: Counter[str] = Counter()
    missing: list[int] = []
    for split, scores in enumerate(candidate.scores):
        one = next((c for c in captures if c.scores == scores and used[c.rows] < times[c.key, c.rows]), None)
        if one is None:
            missing.append(split)
        else:
            captures.remove(one)
            found.append(one)
            used[one.rows] += 1
    if missing:
        failed = [split for split in missing if not candidate.scored(split)]
        why = (
            f"fitting or scoring failed in split {failed[0]}, so that the candidate has no score"
            if failed
            else f"the model of split {missing[0]} was not captured: its process wrote no file into the history "
            "(is the disk full, or read-only?)"
        )
        return replace(candidate, why=why, failed=True)
    released = next((capture for capture in found if capture.why), None)
    if released is not None:
        return replace(candidate, why=released.why, failed=released.failed)
    return replace(candidate, found=tuple(found))


def _split_scores(results: Mapping[str, Any], number: int, split: int) -> dict[str, float]:
    prefix = f"split{split}_test_"
    return {name.removeprefix(prefix): float(results[name][number]) for name in results if name.startswith(prefix)}


def _read(captures: Sequence[Capture], tables: RunTables) -> FittedModel | list[FittedModel]:
    described = [replace(describe(capture.load(), tables.background.data), kind="trial") for capture in captures]
    return described[0] if len(described) == 1 else described


def scores_by_name(score: Any) -> dict[str, float]:
    """Return the result of a scorer under the names that a search's results use."""
    named = score if isinstance(score, dict) else {"score": score}
    return {name: float(value) for name, value in named.items()}


def without_errors(scores: dict[str, Any]) -> dict[str, Any]:
    """Replace tracebacks by NaN with a warning, as scikit-learn does: its scorer returns them for metrics that fail."""
    for said in scores.values():
        if isinstance(said, str):
            warnings.warn(
                "Scoring failed. The score on this train-test partition for these parameters will be set to nan. "
                f"Details: \n{said}",
                UserWarning,
                stacklevel=3,
            )
    return {name: math.nan if isinstance(said, str) else said for name, said in scores.items()}


def candidate_key(estimator: Any) -> str:
    """Return a key of an estimator's hyperparameters, including those of its parts, that is the same in every process."""
    shown = [f"{name}={_shown(value)}" for name, value in sorted(estimator.get_params(deep=True).items())]
    return hashlib.blake2b("\n".join([type(estimator).__qualname__, *shown]).encode(), digest_size=16).hexdigest()


def plain_parameters(estimator: Any) -> dict[str, Any]:
    """Return an estimator's hyperparameters that are numbers or texts, including those of its parts."""
    every = estimator.get_params(deep=True).items()
    return {name: value for name, value in every if value is None or isinstance(value, str | int | float | np.number)}


def _shown(value: Any) -> str:
    if hasattr(value, "get_params") and not isinstance(value, type):
        return type(value).__qualname__  # its own parameters are in the list as well
    if isinstance(value, list | tuple):
        return str([_shown(part) for part in value])
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(value))
