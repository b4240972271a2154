"""A trained network with its vocabulary: made from texts and a teacher, or from arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.formatting._names import counted
from automl_explain.explainers.neural._torch_devices import as_device
from automl_explain.explainers.text.han._attribution import WordImportance, word_importance
from automl_explain.explainers.text.han._embedding import initial_embedding
from automl_explain.explainers.text.han._network import weights_of
from automl_explain.explainers.text.han._split import SplitText
from automl_explain.explainers.text.han._surrogate import Matrix, Scale, Surrogate
from automl_explain.explainers.text.han._training import Labelled, Teach, distil, fidelity, n_epochs, tuned
from automl_explain.explainers.text.han._vocabulary import (
    MOST_SENTENCES,
    MOST_WORDS,
    NumberedText,
    Vocabulary,
    numbered,
)

FEWEST_TEXTS = 20
"""Fewest texts for a training."""
HELD_OUT = 0.1
"""Share of the texts that decides when training ends; as many others are kept to measure fidelity."""


class TrainingSettings(NamedTuple):
    """How a network is trained; `HANTextExplainer` documents the settings."""

    embedding: str | os.PathLike[str] | None
    device: str
    epochs: int | None
    random_state: int
    progress: bool | None


class Importance(NamedTuple):
    """Importance of the words of one text, the output of the network that was asked, and how well it was tuned."""

    words: WordImportance
    outputs: Matrix
    text: NumberedText
    tuned_r2: tuple[float, float] | None
    """R2 on copies of the text that the network was not tuned on, before and after; None if it was not tuned."""

    def notes(self) -> tuple[str, ...]:
        """Return what readers of the values of the text should know."""
        n_words, notes = len(self.words.attention), []
        if not n_words:
            notes.append("the text has no words")
        if self.tuned_r2 is not None:
            before, after = self.tuned_r2
            notes.append(f"R2 on other copies of this text {after:.2f} after tuning, {before:.2f} before")
        if self.text.n_cut:
            notes.append(
                f"the network reads {MOST_SENTENCES} sentences of {MOST_WORDS} words; {counted(self.text.n_cut, 'word')} of "
                "the text were cut"
            )
        if n_words and self.text.n_unknown == n_words:
            notes.append("the network knows none of the words, so that it tells them apart by their place only")
        return tuple(notes)


@dataclass(frozen=True, eq=False)
class Imitation:
    """A network that imitates a model of texts.

    Parameters
    ----------
    surrogate : Surrogate
    vocabulary : Vocabulary
    fidelity : Fidelity
        Measured on texts that took no part in training.
    n_found : int or None
        Words of the vocabulary that the file of vectors has; None without a file.
    """

    surrogate: Surrogate
    vocabulary: Vocabulary
    fidelity: Fidelity
    n_found: int | None

    def importance(self, text: SplitText, teach: Teach | None, rng: np.random.Generator) -> Importance:
        """Return the importance of a text's words; with `teach`, to a copy of the network that is tuned on the text."""
        surrogate, numbers = self.surrogate, numbered(text, self.vocabulary)
        made = None
        if teach is not None and text.words:
            made = tuned(surrogate, Labelled([text], [numbers], teach([text.text])), teach, rng)
            surrogate = made.surrogate
        own = numbers if made is None else made.text
        words = word_importance(surrogate, own, len(text.words))
        r2 = None if made is None else (made.before, made.after)
        return Importance(words, surrogate.outputs([own])[0], numbers, r2)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything that was trained; `imitation_of` reads it back."""
        scale = self.surrogate.scale
        made = {f"network.{name}": weight for name, weight in weights_of(self.surrogate.network).items()}
        made["vectors"] = self.surrogate.vectors.detach().cpu().numpy()
        if scale.centre is not None and scale.spread is not None:
            made |= {"centre": scale.centre, "spread": scale.spread}
        return made


def trained(
    texts: Sequence[SplitText], space: str, teach: Teach, settings: TrainingSettings
) -> tuple[Imitation, list[SplitText]]:
    """Train a network on a teacher's outputs, and return the texts that took no part in it.

    Parameters
    ----------
    texts : sequence of SplitText
        Different texts with words.
    space : str
        Output space of the teacher.
    teach : callable
    settings : TrainingSettings

    Raises
    ------
    InvalidInputError
        If there are too few texts.
    """
    if len(texts) < FEWEST_TEXTS:
        raise InvalidInputError(
            f"The 'initialization_examples' parameter must have at least {FEWEST_TEXTS} different texts with words "
            f"to train a network. Got {len(texts)}: use TextExplainer, which needs none."
        )
    device, rng = as_device(settings.device), np.random.default_rng(settings.random_state)
    order, n_held = rng.permutation(len(texts)), max(2, int(HELD_OUT * len(texts)))
    held, stop, train = order[:n_held], order[n_held : 2 * n_held], order[2 * n_held :]
    vocabulary = Vocabulary.of([texts[i] for i in train])
    embedding = initial_embedding(vocabulary, settings.embedding, rng)
    outputs = teach([text.text for text in texts])
    every = Labelled(texts, [numbered(text, vocabulary) for text in texts], outputs)
    scale = Scale.of(outputs[train], space)
    surrogate = Surrogate.initial(embedding.vectors, scale, outputs.shape[1], device, rng)
    epochs = n_epochs(len(train)) if settings.epochs is None else settings.epochs
    with progress_bar(2 * epochs * len(train), "training the network, at most", settings.progress) as advance:
        distil(surrogate, every.take(train), every.take(stop), teach, epochs=epochs, rng=rng, advance=advance)
    measured = fidelity(surrogate, every.take(held))
    return Imitation(surrogate, vocabulary, measured, embedding.n_found), [texts[i] for i in held]


def imitation_of(
    arrays: dict[str, npt.NDArray[Any]], words: Sequence[str], measured: Fidelity, n_found: int | None, device: str
) -> Imitation:
    """Return the network whose `Imitation.arrays` these are.

    Raises
    ------
    InvalidInputError
        If they are not those of a network with this vocabulary.
    """
    vocabulary, on = Vocabulary(tuple(words)), as_device(device)
    try:
        vectors, scale = arrays["vectors"], Scale(arrays.get("centre"), arrays.get("spread"))
        n_outputs = len(arrays["network.output.bias"])
        surrogate = Surrogate.initial(vectors, scale, n_outputs, on, np.random.default_rng(0))
        stored = {name.removeprefix("network."): torch.tensor(each) for name, each in arrays.items() if "." in name}
        surrogate.network.load_state_dict(stored)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise InvalidInputError(f"The file does not hold the weights of a network: {error}") from error
    if len(vectors) != vocabulary.size:
        raise InvalidInputError(
            f"The file must have a vector for each of the {vocabulary.size} words. Got {len(vectors)}."
        )
    return Imitation(surrogate, vocabulary, measured, n_found)
