"""`TextExplainer`: the values of the words of texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from automl_explain.explainers._arguments import check_choice, checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._pickling import Picklable
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.explanation._additivity import check_gaps
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.methods._settings import SamplingOptions, read_settings
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._names import ClassNames, class_names
from automl_explain.explainers.tables._table import Table
from automl_explain.explainers.text._explanation import TextExplanation
from automl_explain.explainers.text._reading import read_texts
from automl_explain.explainers.text._text_values import TextValues
from automl_explain.explainers.text.games._text_game import TextGames, TextOptions
from automl_explain.explainers.text.games._text_model import read_text_model
from automl_explain.explainers.text.han._explainer import HANTextExplainer

HAN = "han"
METHODS = ("auto", "lime", HAN)
LEVELS = ("word", "sentence")


class TextExplainer(Picklable):
    """Explains models of texts by Shapley values of words or sentences, which add up to the output.

    The players are the distinct words of a text: an absent word is left out in all its places. The way is chosen by the
    model's structure:

    - Linear models of counted words (`CountVectorizer`, `HashingVectorizer`, `TfidfVectorizer`, n-grams, `FeatureUnion`):
      exact, an n-gram's weight being shared equally by its words. With n-grams and ``norm="l2"`` the outputs of coalitions are
      computed from the counts, without masked texts.
    - Trees of counted words: exact if the counts are not normalised and there are no n-grams, otherwise as above.
    - Both also if a pipeline selects or scales counted columns, and linear models if it projects them.
    - Any other pipeline, estimator or function: from the outputs of masked texts, all of them for up to 11 players,
      otherwise a sample, with standard errors.

    What is computed from counts is compared with the model's outputs of masked texts; if they differ, masked texts are used
    and a note says so.

    Parameters
    ----------
    model : object
        A fitted pipeline or search that takes texts, any estimator that does, or a function from a list of texts to numbers
        (n,) or (n, C), or to lists of labels with scores.
    method : {"auto", "lime", "han"}, default "auto"
        "auto" is as above. "lime" is a linear model of texts with random words left out. "han" is `HANTextExplainer` with its
        defaults, a network that imitates the model; it needs `initialization_examples`, and its values are less faithful.
    initialization_examples : list, array or Series of str, optional
        Texts on which the network of ``method="han"`` is trained. Other methods do not need any.
    level : {"word", "sentence"}, default "word"
        What has a value. Up to 10 sentences are explained exactly.
    tokenizer : callable, optional
        From a text to its words as they stand in it, or to their places as (start, end). Default: that of the pipeline's
        vectorizer; otherwise words of letters, digits and inner marks, each character of scripts without spaces, and emoji.
    absent : str, default ""
        Text in the place of an absent word, such as "[MASK]". By default the word is removed. With n-grams its place then
        stays a gap.
    occurrences : bool, default False
        If True, each place of a word is a player.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values. "auto" is the output in which the model is additive.
    classes : sequence or mapping, optional
        Class names in the model's order, or ``{label: name}``.
    sampling : SamplingOptions, optional
        Number of coalitions: `nsamples`, `max_evaluations`, `tolerance` and `time_budget`, per text. Default: 10 masked
        texts per word that are predicted, at least 500.
    random_state : int, default 0
        Seed of sampled coalitions.
    n_jobs : int, optional
        Threads of compiled kernels.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Raises
    ------
    UnsupportedModelError
        If the model cannot predict.
    NotFittedError
        If the model or its vectorizer is not fitted.
    InvalidInputError
        If a parameter is not valid, or the model cannot take texts.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from automl_explain import TextExplainer
    >>> texts = ["good film", "bad film", "good plot", "a bad, bad plot"]
    >>> explainer = TextExplainer(make_pipeline(CountVectorizer(), Ridge()).fit(texts, [4, 1, 5, 0]))
    >>> explanation = explainer.explain_local(texts)
    >>> explanation.documents[3].words, explanation.documents[3].values.round(2).tolist()
    (('bad', 'plot'), [[-2.85, 0.24]])
    >>> explainer.explain_global(texts).get_ranked_global_names(2)
    ['bad', 'good']
    """

    @checked
    def __init__(
        self,
        model: Any,
        *,
        method: str = "auto",
        initialization_examples: Any = None,
        level: str = "word",
        tokenizer: Callable[[str], Iterable[Any]] | None = None,
        absent: str = "",
        occurrences: bool = False,
        output: str = "auto",
        classes: ClassNames | None = None,
        sampling: SamplingOptions | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
        progress: bool | None = None,
    ) -> None:
        self._settings = read_settings(sampling, random_state, n_jobs, progress)
        check_choice("method", method, METHODS)
        check_choice("level", level, LEVELS)
        if not isinstance(absent, str):
            raise InvalidInputError(f"The 'absent' parameter must be a text, such as '' or '[MASK]'. Got {absent!r}.")
        self._network: HANTextExplainer | None = None
        if method == HAN:
            _check_network(initialization_examples, level, absent, occurrences, output, sampling)
            self._network = HANTextExplainer(
                model, initialization_examples, classes=classes, tokenizer=tokenizer, random_state=random_state,
                progress=progress,
            )  # fmt: skip
            return
        text_model = read_text_model(model, output, auto="probability" if method == "lime" else None)
        self._classes = class_names(classes, text_model.model)
        options = TextOptions(level, tokenizer, absent, bool(occurrences), method)
        self._games = TextGames(text_model, options, self._settings)

    @property
    def model(self) -> FittedModel:
        """Description of the model behind the vectorizers."""
        return self._games.model.model if self._network is None else self._network.model

    def prepared(self, texts: Any) -> Table:
        """Return texts as the table that the model behind the vectorizers reads.

        Parameters
        ----------
        texts : str, or list, array or Series of str
            The texts.

        Returns
        -------
        Table
            A row per text.
        """
        return Table(self._games.model.front(read_texts(texts)))

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Names of the classes; None for a regression."""
        return self._classes if self._network is None else self._network.classes

    @property
    def method(self) -> str:
        """How values are computed: "linear", "tree", "kernel", "lime" or "han"."""
        return self._games.way.method if self._network is None else self._network.method

    @property
    def reason(self) -> str:
        """Why in this way."""
        return self._games.way.reason if self._network is None else self._network.reason

    @property
    def notes(self) -> tuple[str, ...]:
        """What readers of the values should know."""
        return self._games.notes if self._network is None else self._network.notes

    def explain_local(self, documents: Any) -> TextExplanation:
        """Explain each text.

        Parameters
        ----------
        documents : str, or list, array, Series or table of one column of str
            Texts; a single one need not be in a list. Columns may be of pandas, polars or pyarrow.

        Returns
        -------
        TextExplanation
            The value of each word or sentence of each text.

        Raises
        ------
        InvalidInputError
            If a document is missing, bytes or no text, or the model cannot predict it.
        AdditivityError
            If the values do not add up to the outputs, such as those of a model with random outputs.
        """
        if self._network is not None:
            return self._network.explain_local(documents)
        texts = read_texts(documents)
        outputs = self._games.model.outputs(texts)
        reads, explained = self._games.read(texts, outputs), []
        one = len(texts) == 1
        with progress_bar(len(texts), "explaining texts", False if one else self._settings.progress) as advance:
            for read, output in zip(reads, outputs, strict=True):
                explained.append(self._games.explain(read, output, show_progress=one))
                advance(1)
        way = self._games.way
        explanation = TextExplanation(
            tuple(explained), self._classes, self.model.output_space, way.method, way.reason, self._games.options.level,
            self.notes, "shapley" if way.is_additive else "local_linear", model_kind=self.model.kind,
        )  # fmt: skip
        self._check_additivity(explanation.documents)
        return explanation

    def explain_global(self, documents: Any) -> Explanation:
        """Rank the words of all texts by their mean absolute value, overall and per class.

        Parameters
        ----------
        documents : list, array or Series of str
            The texts.

        Returns
        -------
        Explanation
            Its features are the words.
        """
        return self.explain_local(documents).overall()

    def _check_additivity(self, documents: Sequence[TextValues]) -> None:
        known = [one for one in documents if one.outputs is not None]
        if not known or not self._games.way.is_additive:
            return
        outputs = np.array([one.outputs for one in known])
        sums = np.array([one.base_values + one.values.sum(axis=1) for one in known])
        largest = np.array([np.abs(one.values).max(axis=1, initial=0.0) for one in known])
        base = np.mean([one.base_values for one in known], axis=0)
        check_gaps(
            np.abs(sums - outputs), outputs, base, largest,
            f"The values of words miss the output by up to {{:.3g}} in {self.model.output_space}",
            lambda: self._games.model.outputs([one.text for one in known]),
        )  # fmt: skip


def _check_network(
    examples: Any, level: str, absent: str, occurrences: bool, output: str, sampling: SamplingOptions | None
) -> None:
    """Raise `InvalidInputError` unless there are texts for a network, and no parameters that it does not have."""
    if examples is None:
        raise InvalidInputError(
            "method='han' trains a network that imitates the model: pass texts as 'initialization_examples'. Got none."
        )
    given = {
        "level": level != "word", "absent": absent != "", "occurrences": bool(occurrences),
        "output": output != "auto", "sampling": sampling is not None,
    }  # fmt: skip
    if any(given.values()):
        names = ", ".join(repr(name) for name, is_set in given.items() if is_set)
        raise InvalidInputError(
            f"method='han' does not have the parameters {names}. Leave them out, or use another method."
        )
