"""Training a network on what a teacher predicts for texts, and for copies of them without some of their words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from automl_explain.explainers.explanation._fidelity import Fidelity, measure_fidelity
from automl_explain.explainers.neural._torch_threads import one_thread
from automl_explain.explainers.text.han._split import SplitText
from automl_explain.explainers.text.han._surrogate import Matrix, Surrogate
from automl_explain.explainers.text.han._vocabulary import NumberedText

Teach = Callable[[Sequence[str]], Matrix]
"""From texts to the teacher's outputs, (n, K)."""

LEARNING_RATE = 3e-3
TEXTS_PER_STEP = 32
BUCKET = 16
"""Steps whose texts are sorted by length, so that the texts of a step have about the same length."""
MOST_NORM = 5.0
"""Norm to which gradients are clipped."""
FEWEST_EPOCHS, MOST_EPOCHS, ENOUGH_STEPS = 8, 60, 400
"""Few texts are seen more often: at most `ENOUGH_STEPS` steps, between these bounds."""
PATIENCE = 2
"""Epochs without a better fidelity after which training ends, of `FEWEST_EPOCHS`; in proportion of more."""
BETTER = 0.005
"""Difference of R2 that counts as better."""
TUNING_STEPS, TUNING_COPIES, TUNING_RATE = 15, 24, 5e-4
"""Steps, copies and learning rate of the tuning on one text."""
CHECKED_COPIES = 16
"""Other copies on which a tuned network is checked."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Texts, as the network takes them, and the teacher's outputs for them, (n, K)."""

    split: Sequence[SplitText]
    numbered: Sequence[NumberedText]
    outputs: Matrix

    def __len__(self) -> int:
        return len(self.split)

    def take(self, which: npt.NDArray[np.intp]) -> Labelled:
        """Return some of the texts."""
        return Labelled([self.split[i] for i in which], [self.numbered[i] for i in which], self.outputs[which])

    def joined(self, other: Labelled) -> Labelled:
        """Return these texts and others."""
        return Labelled(
            [*self.split, *other.split],
            [*self.numbered, *other.numbered],
            np.concatenate([self.outputs, other.outputs]),
        )


class Tuned(NamedTuple):
    """A network tuned on one text, the text for its table of vectors, and R2 on other copies before and after tuning."""

    surrogate: Surrogate
    text: NumberedText
    before: float
    after: float


def dropped(texts: Labelled, teach: Teach, rng: np.random.Generator) -> Labelled:
    """Return a copy of each text without a random share of its distinct words, between none and all."""
    masks = [rng.random(len(text.words)) >= rng.random() for text in texts.split]
    numbers = [text.without(mask) for text, mask in zip(texts.numbered, masks, strict=True)]
    shown = [text.masked(mask[None])[0] for text, mask in zip(texts.split, masks, strict=True)]
    return Labelled(texts.split, numbers, teach(shown))


def n_epochs(n_texts: int) -> int:
    """Return the most epochs of a training on so many texts."""
    steps = -(-2 * n_texts // TEXTS_PER_STEP)
    return min(MOST_EPOCHS, max(FEWEST_EPOCHS, ENOUGH_STEPS // steps))


def distil(
    surrogate: Surrogate,
    texts: Labelled,
    held_out: Labelled,
    teach: Teach,
    *,
    epochs: int,
    rng: np.random.Generator,
    advance: Callable[[int], object],
) -> None:
    """Train a network until its fidelity on held-out texts no longer grows; it keeps the best weights.

    Half the texts of each epoch are copies without some of their words, which the teacher labels.

    Parameters
    ----------
    surrogate : Surrogate
        Changed in place.
    texts, held_out : Labelled
    teach : callable
    epochs : int
        Most epochs.
    rng : Generator
    advance : callable
        Told the number of texts after each step.
    """
    optimiser = torch.optim.Adam(surrogate.parameters(), LEARNING_RATE)
    best, kept, since = -np.inf, _weights(surrogate), 0
    patience = max(PATIENCE, epochs * PATIENCE // FEWEST_EPOCHS)
    for _ in range(epochs):
        seen = texts.joined(dropped(texts, teach, rng))
        for step in _steps(seen, rng):
            _step(surrogate, optimiser, seen.take(step))
            advance(len(step))
        r2 = fidelity(surrogate, held_out).r2
        since = 0 if r2 > best + BETTER else since + 1
        if r2 > best:
            best, kept = r2, _weights(surrogate)
        if since >= patience:
            break
    with torch.no_grad():
        for parameter, weight in zip(surrogate.parameters(), kept, strict=True):
            parameter.copy_(weight)


def tuned(surrogate: Surrogate, text: Labelled, teach: Teach, rng: np.random.Generator) -> Tuned:
    """Return a copy of the network, trained for a few steps on one text and on copies of it without some of its words."""
    few, numbers = surrogate.with_few_words(text.numbered[0])
    own = Labelled(text.split, [numbers], text.outputs)
    copies = dropped(own.take(np.zeros(TUNING_COPIES + CHECKED_COPIES, np.intp)), teach, rng)
    seen, checked = (
        own.joined(copies.take(np.arange(TUNING_COPIES))),
        copies.take(np.arange(TUNING_COPIES, len(copies))),
    )
    before = fidelity(few, checked).r2
    optimiser = torch.optim.Adam(few.parameters(), TUNING_RATE)
    for _ in range(TUNING_STEPS):
        _step(few, optimiser, seen)
    return Tuned(few, numbers, before, fidelity(few, checked).r2)


def fidelity(surrogate: Surrogate, texts: Labelled) -> Fidelity:
    """Return how well a network imitates the teacher on texts that it was not trained on."""
    space = "probability" if surrogate.scale.centre is None else "response"
    return measure_fidelity(texts.outputs, surrogate.outputs(texts.numbered), space, held_out=True)


def _steps(texts: Labelled, rng: np.random.Generator) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the texts of each step: those of a bucket, sorted by length; the steps are in random order."""
    lengths = np.array([len(text.numbers) for text in texts.numbered])
    order, size = rng.permutation(len(texts)), TEXTS_PER_STEP * BUCKET
    buckets = [order[start : start + size] for start in range(0, len(order), size)]
    ordered = np.concatenate([bucket[np.argsort(lengths[bucket], kind="stable")] for bucket in buckets])
    steps = [ordered[start : start + TEXTS_PER_STEP] for start in range(0, len(ordered), TEXTS_PER_STEP)]
    return (steps[number] for number in rng.permutation(len(steps)))


def _step(surrogate: Surrogate, optimiser: Any, texts: Labelled) -> None:
    wanted = torch.as_tensor(texts.outputs, dtype=torch.float32, device=surrogate.device)
    with one_thread(), torch.enable_grad():
        optimiser.zero_grad()
        surrogate.scale.loss(surrogate.scores(texts.numbered), wanted).backward()  # type: ignore[no-untyped-call]  # torch has no types here
        grad = surrogate.vectors.grad
        assert grad is not None
        grad[0] = 0.0  # an absent word stays at zero
        torch.nn.utils.clip_grad_norm_(surrogate.parameters(), MOST_NORM)
        optimiser.step()


def _weights(surrogate: Surrogate) -> list[torch.Tensor]:
    return [copy.deepcopy(parameter.detach()) for parameter in surrogate.parameters()]
