"""Reader of pipelines of scikit-learn that take texts: vectorizers as bags of words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import FeatureUnion, Pipeline

from automl_explain.explainers._errors import NotFittedError
from automl_explain.explainers.text._text_values import Span
from automl_explain.explainers.text.games._bag_of_words import BagOfWords, Token, WordBlock
from automl_explain.explainers.text.games._count_steps import CountSteps
from automl_explain.explainers.text.games._text_model import TextSteps, read_steps
from automl_explain.integrations.readers._checks import require_fitted
from automl_explain.integrations.readers.sklearn._column_functions import Transformers
from automl_explain.integrations.readers.sklearn._count_weights import row_weights, step_weights

Columns = tuple[Any, Any]


class NoBagError(Exception):
    """A step that does not count words; the message says why."""


def read_pipeline(pipeline: Any) -> TextSteps | None:
    """Return the steps of a pipeline; None if there is only a model, which takes the texts itself."""
    steps = _flat(pipeline)
    transformers, last = steps[:-1], steps[-1]
    if not transformers:
        return read_steps(last)
    for transformer in transformers:
        if not isinstance(transformer, HashingVectorizer):
            require_fitted(transformer)
    front = Transformers(tuple(transformers))
    try:
        found = _counted(transformers)
    except NoBagError as error:
        return TextSteps(front, last, why=str(error))
    after = Transformers(tuple(found.rest)) if found.rest else None
    return TextSteps(front, last, BagOfWords(_without_unread(found)), found.counts, after)


def read_search(search: Any) -> TextSteps | None:
    """Return the steps of the best pipeline of a search."""
    require_fitted(search)
    if not hasattr(search, "best_estimator_"):
        raise NotFittedError(
            f"{type(search).__name__} has no best_estimator_: fit it with refit=True, or pass the model to explain."
        )
    return read_steps(search.best_estimator_)


def read_column(preprocessing: Transformers, column: str) -> tuple[BagOfWords, CountSteps] | None:
    """Return the words that vectorizers of a ColumnTransformer count in a column, and what the last step reads of them.

    None if anything else reads the column as well, or a step behind it does more than to select, scale and project.
    """
    first, *rest = preprocessing.steps
    parts = _vectorizers_of(first, column) if type(first) is ColumnTransformer else None
    if not parts:
        return None
    blocks = tuple(block for part, _ in parts for block in part.blocks)
    own = [sparse.identity(part.n_columns) if part.counts is None else part.counts.weights for part, _ in parts]
    where = np.concatenate([places for _, places in parts])
    width = max(place.stop for place in first.output_indices_.values())
    placed = sparse.csr_array((np.ones(len(where)), (where, np.arange(len(where)))), shape=(width, len(where)))
    counts = CountSteps.of(placed @ sparse.block_diag(own, format="csr"))
    for step in rest:
        weights = step_weights(step, counts.weights.shape[0])
        if weights is None:
            return None
        counts = counts.then(weights)
    return BagOfWords(_without_unread(_Counted(blocks, counts, ()))), counts


def _vectorizers_of(columns: ColumnTransformer, column: str) -> list[tuple[_Counted, npt.NDArray[np.intp]]] | None:
    """Return what each transformer counts in a column, and its place in the output; None if one does anything else."""
    names, found = [str(name) for name in getattr(columns, "feature_names_in_", ())], []
    for name, part, read in columns.transformers_:
        if (isinstance(part, str) and part == "drop") or not _reads(read, column, names):
            continue
        if not isinstance(read, str | int) or isinstance(part, str):
            return None
        try:
            own = _counted(_flat(part) if type(part) is Pipeline else [part])
        except NoBagError:
            return None
        if own.rest:
            return None
        scale = float((columns.transformer_weights or {}).get(name, 1.0))
        scaled = tuple(replace(block, scale=block.scale * scale) for block in own.blocks)
        place = columns.output_indices_[name]
        found.append((own._replace(blocks=scaled), np.arange(place.start, place.stop)))
    return found


def _reads(columns: Any, column: str, names: list[str]) -> bool:
    """Whether a transformer reads a column, given by name, position or a list of these; a mask or a slice may."""
    asked = [columns] if isinstance(columns, str | int | slice) else list(columns)
    if any(isinstance(one, bool | np.bool_ | slice) for one in asked):
        return True
    return any(str(one) == column or (isinstance(one, int | np.integer) and names[one] == column) for one in asked)


def _flat(pipeline: Any) -> list[Any]:
    """Return the steps of a pipeline, with those of pipelines within it in their place."""
    steps = []
    for _, step in pipeline.steps:
        if type(step) is Pipeline:
            steps += _flat(step)
        elif step is not None and step != "passthrough":
            steps.append(step)
    return steps


class _Counted(NamedTuple):
    """The vectorizers that the first steps are, what the next ones make of their columns, and the steps after these."""

    blocks: tuple[WordBlock, ...]
    counts: CountSteps | None
    rest: Sequence[Any]

    @property
    def n_columns(self) -> int:
        return sum(block.n_columns for block in self.blocks)


def _counted(steps: Sequence[Any]) -> _Counted:
    """Return what the steps of a pipeline count, and what they make of it, as far as that is linear."""
    first, rest = steps[0], steps[1:]
    found = _union(first) if type(first) is FeatureUnion else _Counted((_block_of(first),), None, ())
    for number, step in enumerate(rest):
        own = found.n_columns if found.counts is None else found.counts.weights.shape[0]
        weights = step_weights(step, own)
        if weights is not None:
            counts = CountSteps.of(weights) if found.counts is None else found.counts.then(weights)
            found = found._replace(counts=counts)
            continue
        scaled = _scaled(found, step)
        if scaled is None:
            return found._replace(rest=rest[number:])
        found = scaled
    return found


def _union(union: FeatureUnion) -> _Counted:
    """Return the columns that all parts of a union count, side by side."""
    parts = []
    for name, part in union.transformer_list:
        weight = float((union.transformer_weights or {}).get(name, 1.0))
        own = _counted(_flat(part) if type(part) is Pipeline else [part])
        if own.rest:
            raise NoBagError(f"the step {type(own.rest[0]).__name__} of a FeatureUnion changes the counts of words")
        parts.append(own._replace(blocks=tuple(replace(block, scale=block.scale * weight) for block in own.blocks)))
    blocks = tuple(block for part in parts for block in part.blocks)
    if all(part.counts is None for part in parts):
        return _Counted(blocks, None, ())
    weights = [sparse.identity(part.n_columns) if part.counts is None else part.counts.weights for part in parts]
    return _Counted(blocks, CountSteps.of(sparse.block_diag(weights, format="csr")), ())


def _scaled(found: _Counted, step: Any) -> _Counted | None:
    """Return what is counted if a step weighs or normalises the rows of one vectorizer; None if it does anything else.

    Columns that were not selected before are not part of the norm: their weight becomes 0.
    """
    weights = row_weights(step)
    if weights is None or len(found.blocks) > 1:
        return None
    (block,), counts = found.blocks, found.counts
    columns = np.arange(block.n_columns) if counts is None else counts.columns
    if columns is None or (columns < 0).any() or block.norm is not None or block.scale != 1.0:
        return None
    factors = np.ones(len(columns)) if counts is None else counts.factors
    is_plain = block.idf is None and not block.sublinear and bool((factors == 1.0).all())
    if weights.sublinear and not is_plain:
        return None
    idf = np.zeros(block.n_columns)
    idf[columns] = factors * (1.0 if weights.idf is None else weights.idf)
    idf *= 1.0 if block.idf is None else block.idf
    block = replace(block, sublinear=block.sublinear or weights.sublinear, idf=idf, norm=weights.norm)
    kept = None if counts is None else CountSteps.of((counts.weights != 0.0).astype(np.float64))
    return _Counted((block,), kept, ())


def _without_unread(found: _Counted) -> tuple[WordBlock, ...]:
    """Return the vectorizers without the columns that the model does not read, unless these are part of a norm."""
    if found.counts is None:
        return found.blocks
    starts = np.cumsum([block.n_columns for block in found.blocks])[:-1]
    is_read = np.split(found.counts.is_read, starts)
    return tuple(
        replace(block, columns=_ReadColumns(block.columns, own)) if block.norm is None else block
        for block, own in zip(found.blocks, is_read, strict=True)
    )


def _block_of(vectorizer: Any) -> WordBlock:
    kind = type(vectorizer)
    if kind not in (CountVectorizer, TfidfVectorizer, HashingVectorizer):
        raise NoBagError(f"its first step, {kind.__name__}, is not known to count words")
    if vectorizer.analyzer != "word":
        raise NoBagError(f"its {kind.__name__} has the analyzer {vectorizer.analyzer!r}, which counts no words")
    if vectorizer.input != "content":
        raise NoBagError(f"its {kind.__name__} reads files")
    ngrams = tuple(int(size) for size in vectorizer.ngram_range)
    block = partial(
        WordBlock,
        tokens=_Tokens(vectorizer),
        ngrams=(ngrams[0], ngrams[1]),
        binary=bool(vectorizer.binary),
    )
    if kind is HashingVectorizer:
        if ngrams != (1, 1):
            raise NoBagError(
                "its HashingVectorizer has a column for any n-gram, also for those that arise around a gap"
            )
        columns = _HashedColumns(int(vectorizer.n_features), bool(vectorizer.alternate_sign))
        return block(columns=columns, knows=lambda word: True, n_columns=columns.n_features, norm=vectorizer.norm)
    known = vectorizer.vocabulary_
    made = block(columns=partial(_known_columns, known), knows=_Knows(known), n_columns=len(known))
    return _weighed(made, vectorizer) if kind is TfidfVectorizer else made


def _weighed(block: WordBlock, weights: Any) -> WordBlock:
    """Return a block with the weights of a TfidfTransformer or TfidfVectorizer."""
    idf = np.asarray(weights.idf_, dtype=np.float64) if weights.use_idf else None
    return replace(block, sublinear=bool(weights.sublinear_tf), idf=idf, norm=weights.norm)


@dataclass(frozen=True)
class _ReadColumns:
    """The column and sign of each word, -1 for columns that are not read."""

    columns: Callable[[Sequence[str]], Columns]
    is_read: npt.NDArray[np.bool_]

    def __call__(self, terms: Sequence[str]) -> Columns:
        columns, signs = self.columns(terms)
        return np.where((columns >= 0) & self.is_read[columns], columns, -1), signs


def _known_columns(known: dict[str, int], terms: Sequence[str]) -> Columns:
    return np.array([known.get(term, -1) for term in terms], np.intp), np.ones(len(terms))


@dataclass(frozen=True)
class _HashedColumns:
    """The column and sign of each word by its hash."""

    n_features: int
    alternate_sign: bool

    def __call__(self, terms: Sequence[str]) -> Columns:
        hasher = FeatureHasher(self.n_features, input_type="string", alternate_sign=self.alternate_sign)
        if not terms:
            return np.empty(0, np.intp), np.empty(0)
        found = hasher.transform([[term] for term in terms]).tocsr()
        return found.indices.astype(np.intp), found.data.astype(np.float64)


@dataclass(frozen=True)
class _Knows:
    """Whether a word is part of a term of a vocabulary."""

    vocabulary: dict[str, int]

    def __call__(self, word: str) -> bool:
        return any(word in term for term in self.vocabulary)


class _Tokens:
    """The words that a vectorizer counts, with their places; None for texts in which these cannot be found."""

    def __init__(self, vectorizer: Any) -> None:
        self._vectorizer = vectorizer
        self._prepare: Callable[[str], str] = vectorizer.build_preprocessor()
        self._cut: Callable[[str], list[str]] = vectorizer.build_tokenizer()
        self._stop_words = frozenset(vectorizer.get_stop_words() or ())

    def __call__(self, text: str) -> list[Token] | None:
        prepared = self._prepare(text)
        words = self._cut(prepared)
        places = self._places(text, prepared, words)
        if places is None:
            return None
        return [(word, span) for word, span in zip(words, places, strict=True) if word not in self._stop_words]

    def _places(self, text: str, prepared: str, words: list[str]) -> list[Span] | None:
        """Return the places of the words: by the pattern, or one after the other in a text that is only respelled."""
        vectorizer = self._vectorizer
        if vectorizer.tokenizer is None:
            pattern = re.compile(vectorizer.token_pattern)
            spans = [found.span(pattern.groups) for found in pattern.finditer(text)]
            if [self._prepare(text[start:end]) for start, end in spans] == words:
                return spans
        if len(prepared) != len(text):
            return None
        spans, done = [], 0
        for word in words:
            start = prepared.find(word, done) if word else -1
            if start < 0:
                return None
            done = start + len(word)
            if self._prepare(text[start:done]) != word:  # respelling has moved letters, though there are as many
                return None
            spans.append((start, done))
        return spans
