"""`HANTextExplainer`: a hierarchical attention network imitates a model of texts, and its words get an importance."""

from __future__ import annotations

import importlib.util
import os
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from automl_explain.explainers._arguments import check_choice, check_seed, checked
from automl_explain.explainers._errors import AutoMLExplainWarning, InvalidInputError, MissingExtraError
from automl_explain.explainers._pickling import Picklable
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.bundles._array_file import parts_that_fit
from automl_explain.explainers.deletion._curves import DeletionSettings, measure_rankings
from automl_explain.explainers.deletion._faithfulness import Faithfulness, faithfulness_of
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.explanation._kinds import Kind
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._names import ClassNames, class_names
from automl_explain.explainers.text._explanation import TextExplanation
from automl_explain.explainers.text._reading import read_texts
from automl_explain.explainers.text._text_values import TextValues
from automl_explain.explainers.text.games._text_model import TextModel, read_text_model
from automl_explain.explainers.text.han._split import SplitText, Tokenizer, split_text
from automl_explain.explainers.text.han._storage import StoredHAN, load_han, read_teacher, save_han

if TYPE_CHECKING:
    from automl_explain.explainers.text.han._imitation import Importance

SIGNED, ATTENTION = "signed", "attention"
KINDS: dict[str, Kind] = {SIGNED: "shapley", ATTENTION: "attention"}
"""Importance -> what the values of the explanation are."""
MEASURED_TEXTS = 20
"""Held-out texts on which faithfulness is measured."""
UNRELIABLE = 0.5
"""R2 below which the network says little about the model."""


class HANTextExplainer(Picklable):
    """A hierarchical attention network that imitates a model of texts, and the importance of words to that network.

    The network is trained on the model's outputs for texts, and for copies of them without some of their words. It is tuned
    on each text that is explained. Every explanation has the fidelity of the network (`fidelity`), and the faithfulness of
    both kinds of importance (`faithfulness`): how much the model's output falls if the words ranked first are removed,
    beside leaving out one word at a time and random orders.

    **Attention is not an explanation of the model.** If the words with the most attention are removed, the model's output
    falls much less than without the words that `TextExplainer` ranks first; docs/performance/han.md has the figures.
    `TextExplainer` asks the model itself and needs no training. Use this explainer if the model is too slow for that, or to
    read attention.

    Parameters
    ----------
    model : object
        A model of texts, as for `TextExplainer`. The network imitates its probabilities if it has them.
    initialization_examples : sequence of str
        At least 20 different texts with words, on which the network is trained. A tenth decides when training ends, and
        another tenth is held out to measure fidelity and faithfulness.
    embedding : path-like, optional
        File of word vectors of dimension 100 in GloVe's text format, such as "glove.6B.100d.txt". Only the words of the texts
        are kept. Default: vectors are random at first.
    importance : {"signed", "attention"}, default "signed"
        "signed": contributions per class, which add up to the outputs of the network. "attention": the attention of the
        sentence times that of the word, which sums to 1, has no sign, and is the same for all classes. The other one is in
        the field `also` of each text.
    fine_tune : bool, default True
        Tune a copy of the network on each text that is explained, and on 24 copies of it without some of its words, which
        the model predicts.
    classes : sequence or mapping, optional
        Class names in the model's order, or ``{label: name}``. Default: the labels of the model.
    tokenizer : callable, optional
        From a text to its words in order, or to the start and end of each. Default: letters and digits; single characters in
        scripts without spaces.
    device : str, default "auto"
        Device of the network, such as "cpu" or "cuda". "auto" is a GPU if there is one.
    epochs : int, optional
        Most passes over the texts. Default: 8; more for few texts.
    random_state : int, default 0
        Seed of the weights, of the order of texts and of the words removed. PyTorch's and NumPy's global random states are
        not used. On a CPU the same seed gives the same values.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Raises
    ------
    MissingExtraError
        If PyTorch or sentencex is not installed.
    InvalidInputError
        If there are too few texts, they are not texts, the model cannot predict them, or a parameter is not valid.
    UnsupportedModelError
        If the model cannot predict.

    Warns
    -----
    AutoMLExplainWarning
        If R2 of the network on held-out texts is below 0.5.

    References
    ----------
    Yang et al., "Hierarchical attention networks for document classification", NAACL 2016, doi:10.18653/v1/N16-1174.
    Serrano and Smith, "Is attention interpretable?", arXiv 1906.03731. Sundararajan, Taly and Yan, "Axiomatic attribution for
    deep networks", arXiv 1703.01365: the path of the signed importance.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from automl_explain import HANTextExplainer
    >>> texts = [f"A {word} {noun}." for word in ("good", "fine", "bad", "awful") for noun in
    ...          ("film", "plot", "cast", "end", "song", "book", "game", "show", "tale", "role", "team", "trip")]
    >>> labels = ["bad" in text or "awful" in text for text in texts]
    >>> model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, labels)
    >>> explainer = HANTextExplainer(model, texts, fine_tune=False, epochs=20)
    >>> explainer.fidelity.r2 > 0.8
    True
    >>> explanation = explainer.explain_local(["A bad film."])
    >>> words = explanation.documents[0]
    >>> words.words, words.words[words.values[1].argmax()]
    (('a', 'bad', 'film'), 'bad')
    """

    method = "han"

    @checked
    def __init__(
        self,
        model: Any,
        initialization_examples: Sequence[str],
        *,
        embedding: str | os.PathLike[str] | None = None,
        importance: str = SIGNED,
        fine_tune: bool = True,
        classes: ClassNames | None = None,
        tokenizer: Tokenizer | None = None,
        device: str = "auto",
        epochs: int | None = None,
        random_state: int = 0,
        progress: bool | None = None,
    ) -> None:
        check_choice("importance", importance, KINDS)
        check_seed(random_state)
        _require_extra()
        from automl_explain.explainers.text.han._imitation import TrainingSettings, trained

        self._importance, self._fine_tune, self._tokenizer = importance, fine_tune, tokenizer
        self._random_state, self._progress = random_state, progress
        documents = dict.fromkeys(read_texts(initialization_examples, "initialization_examples"))
        split = [one for text in documents if (one := split_text(text, tokenizer)).words]
        teacher = read_text_model(model, "auto", auto="probability")
        self._teacher: TextModel | None = teacher
        self._name, self._space = teacher.model.name, str(teacher.model.output_space)
        self._classes = class_names(classes, teacher.model)
        settings = TrainingSettings(embedding, device, epochs, random_state, progress)
        self._imitation, held_out = trained(split, self._space, teacher.outputs, settings)
        self._faithfulness = self._measured(held_out[:MEASURED_TEXTS], teacher)
        if self.fidelity.r2 < UNRELIABLE:
            warnings.warn(self._too_far(), AutoMLExplainWarning, stacklevel=3)

    @property
    def model(self) -> FittedModel:
        """Description of the model that the network imitates.

        Raises
        ------
        InvalidInputError
            If the explainer was loaded without it.
        """
        if self._teacher is None:
            raise InvalidInputError("The explainer was loaded without its model: pass it to HANTextExplainer.load.")
        return self._teacher.model

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Labels of the classes; None for a regression."""
        return self._classes

    @property
    def fidelity(self) -> Fidelity:
        """How well the network imitates the model on held-out texts, before it is tuned on single ones."""
        return self._imitation.fidelity

    @property
    def faithfulness(self) -> Faithfulness:
        """Both kinds of importance, measured on held-out texts by removing words and asking the model."""
        return self._faithfulness

    @property
    def reason(self) -> str:
        """What imitates what, and what the values are."""
        tuned = "tuned on each text" if self._fine_tune else "the same for all texts"
        words = {
            SIGNED: "contributions along a path of word vectors to the outputs of the network",
            ATTENTION: "attention of the sentence times attention of the word",
        }
        return f"a hierarchical attention network, {tuned}, imitates {self._name}; {words[self._importance]}"

    @property
    def notes(self) -> tuple[str, ...]:
        """Fidelity, faithfulness, and what the values mean."""
        meaning = {
            SIGNED: "the values add up to the outputs of the network, not to those of the model",
            ATTENTION: "attention sums to 1, has no sign, is the same for all classes, and does not add up to an output",
        }
        found, size = self._imitation.n_found, len(self._imitation.vocabulary.words)
        well = self.fidelity.r2 >= UNRELIABLE
        notes = [
            f"the network imitates the model with {self.fidelity}" if well else self._too_far(),
            self.faithfulness.in_words(),
            meaning[self._importance],
        ]
        if found is not None:
            notes.append(f"the file of word vectors has {found:,} of {size:,} words ({found / size:.0%})")
        return tuple(notes)

    def explain_local(self, documents: Sequence[str]) -> TextExplanation:
        """Explain texts by their words.

        Parameters
        ----------
        documents : sequence of str
            Texts; a single text is one text.

        Returns
        -------
        TextExplanation
            Values of the distinct words of each text for each class.

        Raises
        ------
        InvalidInputError
            If these are not texts, or the model cannot predict them.
        """
        texts = [split_text(text, self._tokenizer) for text in read_texts(documents, "documents")]
        explained = []
        with progress_bar(len(texts), "explaining texts", self._progress) as advance:
            for text in texts:
                explained.append(self._values(text, self._asked(text, self._teacher)))
                advance(1)
        return TextExplanation(
            tuple(explained),
            self._classes,
            self._space,
            self.method,
            self.reason,
            notes=self.notes,
            kind=KINDS[self._importance],
            fidelity=self.fidelity,
            faithfulness=self.faithfulness,
        )

    def explain_global(self, documents: Sequence[str]) -> Explanation:
        """Return the words of texts, ranked by the mean absolute value over all texts; see `explain_local`.

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

    @checked
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network, its vocabulary and what was measured to one file, without pickle.

        The model is not in the file, and neither is a tokenizer.

        Parameters
        ----------
        path : path-like
            File to write.
        """
        about = {
            "name": self._name,
            "space": self._space,
            "importance": self._importance,
            "fine_tune": self._fine_tune,
            "random_state": self._random_state,
            "words": self._imitation.vocabulary.words,
            "n_found": self._imitation.n_found,
            "fidelity": asdict(self.fidelity),
            "faithfulness": self.faithfulness.to_dict(),
        }
        save_han(path, StoredHAN(about, self._classes, self._imitation.arrays()))

    @staticmethod
    @checked
    def load(
        path: str | os.PathLike[str], model: Any = None, *, tokenizer: Tokenizer | None = None, device: str = "auto"
    ) -> HANTextExplainer:
        """Read an explainer that `save` wrote.

        Parameters
        ----------
        path : path-like
            What `save` wrote.
        model : object, optional
            The model that the network imitates. Without it, the network is not tuned on texts, and its values differ.
        tokenizer : callable, optional
            The tokenizer, if there was one.
        device : str, default "auto"
            As in the constructor.

        Returns
        -------
        HANTextExplainer
            The explainer that was saved.

        Raises
        ------
        InvalidInputError
            If the file does not hold an explainer, or the model has other outputs.
        FormatVersionError
            If a newer version of automl-explain wrote it.
        """
        _require_extra()
        from automl_explain.explainers.text.han._imitation import imitation_of

        stored = load_han(path)
        made = object.__new__(HANTextExplainer)
        made._tokenizer, made._progress = tokenizer, None
        with parts_that_fit(path):
            about, made._classes = stored.about, stored.classes
            check_choice("importance", about["importance"], KINDS)
            made._name, made._space, made._importance = str(about["name"]), str(about["space"]), about["importance"]
            made._random_state = int(about["random_state"])
            made._faithfulness = Faithfulness.from_dict(about["faithfulness"])
            measured = Fidelity(**about["fidelity"])
            made._imitation = imitation_of(stored.arrays, about["words"], measured, about["n_found"], device)
            made._fine_tune = bool(about["fine_tune"]) and model is not None
            if about["fine_tune"] and model is None:
                notes = (
                    *made._faithfulness.notes,
                    "measured with the network tuned on each text, which takes the model",
                )
                made._faithfulness = replace(made._faithfulness, notes=notes)
        made._teacher = None
        if model is not None:
            made._teacher = read_teacher(model, made._name, made._space, stored.classes)
        return made

    def _asked(self, text: SplitText, teacher: TextModel | None) -> Importance:
        """Return the importance of a text's words; its random numbers depend on the text and the seed only."""
        rng = np.random.default_rng([self._random_state, zlib.crc32(text.text.encode("utf-8", "surrogatepass"))])
        return self._imitation.importance(
            text, teacher.outputs if self._fine_tune and teacher is not None else None, rng
        )

    def _values(self, text: SplitText, asked: Importance) -> TextValues:
        signed, attention, base = asked.words
        shown = {SIGNED: signed, ATTENTION: np.broadcast_to(attention, signed.shape).copy()}
        other = ATTENTION if self._importance == SIGNED else SIGNED
        return TextValues(
            text.text,
            text.words,
            text.spans,
            text.sentences,
            shown[self._importance],
            base,
            asked.outputs,
            notes=asked.notes(),
            also={other: shown[other]},
        )

    def _measured(self, texts: Sequence[SplitText], teacher: TextModel) -> Faithfulness:
        """Return the faithfulness of both kinds of importance on texts that took no part in the training."""
        settings, measured = DeletionSettings(), []
        rng = np.random.default_rng(self._random_state)
        with progress_bar(len(texts), "measuring faithfulness", self._progress) as advance:
            for text in texts:
                words = self._asked(text, teacher).words
                scores = {SIGNED: words.signed, ATTENTION: words.attention[None]}
                ask = partial(text.outputs_by, teacher.outputs)
                measured.append(measure_rankings(ask, scores, rng, settings, (ATTENTION,)))
                advance(1)
        return faithfulness_of(measured, settings.share, self._space)

    def _too_far(self) -> str:
        return (
            f"The network does not imitate {self._name} well ({self.fidelity}), so that its values say little about the model. "
            "Pass more texts, or use TextExplainer, which asks the model itself."
        )


def _require_extra() -> None:
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("HANTextExplainer needs PyTorch: pip install 'automl-explain[han]'.")
