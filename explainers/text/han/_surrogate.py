"""The network with its word vectors and the scale of its outputs: what it predicts for texts, and what it attends to."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from automl_explain.explainers.neural._network import Arrays, Chosen, Gradients, Network, NetworkInput
from automl_explain.explainers.neural._torch_threads import one_thread
from automl_explain.explainers.text.han._network import (
    TEXTS_AT_ONCE,
    HierarchicalAttention,
    Read,
    as_batch,
    initialised,
)
from automl_explain.explainers.text.han._vocabulary import ABSENT, NumberedText

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scale:
    """How scores become outputs: probabilities by a softmax; other outputs by their mean and spread in training.

    Parameters
    ----------
    centre, spread : ndarray of shape (K,), or None
        None for probabilities.
    """

    centre: Matrix | None = None
    spread: Matrix | None = None

    @staticmethod
    def of(outputs: Matrix, space: str) -> Scale:
        """Return the scale of the teacher's outputs, (n, K)."""
        if space == "probability":
            return Scale()
        spread = outputs.std(axis=0)
        return Scale(outputs.mean(axis=0), np.where(spread > 0, spread, 1.0))

    def outputs(self, scores: torch.Tensor) -> torch.Tensor:
        """Return the outputs of scores, (D, K)."""
        if self.centre is None or self.spread is None:
            return torch.softmax(scores, dim=1)
        return scores * _like(self.spread, scores) + _like(self.centre, scores)

    def loss(self, scores: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        """Return the Kullback-Leibler divergence up to a constant, or the mean squared error in units of the spread."""
        if self.centre is None or self.spread is None:
            return -(outputs * torch.log_softmax(scores, dim=1)).sum(dim=1).mean()
        wanted = (outputs - _like(self.centre, scores)) / _like(self.spread, scores)
        return ((scores - wanted) ** 2).mean()


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A network that imitates a model of texts.

    Parameters
    ----------
    network : HierarchicalAttention
    vectors : Parameter, shape (V, dimension)
        A row per number of a word; that of an absent word stays zero.
    scale : Scale
    """

    network: HierarchicalAttention
    vectors: torch.nn.Parameter
    scale: Scale

    @staticmethod
    def initial(
        vectors: npt.NDArray[np.float32], scale: Scale, n_outputs: int, device: torch.device, rng: np.random.Generator
    ) -> Surrogate:
        """Return a network that is not trained."""
        network = initialised(vectors.shape[1], n_outputs, rng).to(device)
        return Surrogate(network, torch.nn.Parameter(torch.tensor(vectors, device=device)), scale)

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.vectors.device

    def parameters(self) -> list[torch.nn.Parameter]:
        """Return everything that is trained."""
        return [self.vectors, *self.network.parameters()]

    def read(self, texts: Sequence[NumberedText]) -> Read:
        """Return what the network makes of texts; each word's part of the gates is computed once."""
        batch = as_batch(texts, self.device)
        used, words = torch.unique(batch.numbers, return_inverse=True)
        read: Read = self.network(batch, torch.nn.functional.embedding(used, self.vectors), words)
        return read

    def scores(self, texts: Sequence[NumberedText]) -> torch.Tensor:
        """Return the scores of texts, (D, K)."""
        return self.read(texts).scores

    def outputs(self, texts: Sequence[NumberedText]) -> Matrix:
        """Return the outputs of texts, (n, K)."""
        parts = []
        with one_thread(), torch.no_grad():
            for start in range(0, len(texts), TEXTS_AT_ONCE):
                scores = self.scores(texts[start : start + TEXTS_AT_ONCE])
                parts.append(self.scale.outputs(scores).double().cpu().numpy())
        return np.concatenate(parts)

    def attention(self, text: NumberedText) -> Matrix:
        """Return the attention of the sentence times that of the word, for each word of a text, (T,); it sums to 1."""
        with one_thread(), torch.no_grad():
            read = self.read([text])
        words = (read.sentences[0][:, None] * read.words).double().cpu().numpy()
        inside = np.arange(words.shape[1]) < text.lengths[:, None]
        return np.asarray(words[inside])

    def over_vectors(self, text: NumberedText) -> Network:
        """Return the outputs as a function of the vectors of one text's words, (T, dimension)."""
        shape = len(text.numbers), self.vectors.shape[1]

        def run(words: torch.Tensor) -> torch.Tensor:
            batch = as_batch([text] * len(words), self.device)
            inside = torch.arange(batch.numbers.shape[1])[None] < batch.lengths[:, None]
            which = torch.zeros(inside.shape, dtype=torch.int64, device=self.device)
            which[inside.to(self.device)] = torch.arange(len(words) * shape[0], device=self.device)
            return self.scale.outputs(self.network(batch, words.reshape(-1, shape[1]), which).scores)

        def forward(arrays: Arrays) -> Matrix:
            with one_thread(), torch.no_grad():
                return np.asarray(run(torch.from_numpy(arrays[0]).to(self.device)).double().cpu().numpy())

        def gradients(arrays: Arrays, chosen: Chosen = None) -> Gradients:
            with one_thread(), torch.enable_grad():
                words = torch.tensor(arrays[0], device=self.device).requires_grad_()
                found = self._jacobians(run(words), words).double().cpu().numpy()
                return (found if chosen is None else found[chosen],)

        return Network(forward=forward, gradients=gradients, inputs=(NetworkInput(shape),), why="a network of one text")

    def _jacobians(self, outputs: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        """Return the derivatives of outputs (M, K) by the vectors of words, (K, M, T, dimension)."""
        is_share = self.scale.centre is None  # probabilities sum to 1, their derivatives to 0
        asked = outputs.unbind(dim=1)[: -1 if is_share else None]
        found = [torch.autograd.grad(each.sum(), words, retain_graph=True)[0] for each in asked]
        return torch.stack([*found, -torch.stack(found).sum(dim=0)] if is_share else found)

    def word_vectors(self, text: NumberedText) -> npt.NDArray[np.float64]:
        """Return the vectors of a text's words, (T, dimension)."""
        return np.asarray(self.vectors.detach()[torch.from_numpy(text.numbers).to(self.device)].double().cpu().numpy())

    def with_few_words(self, text: NumberedText) -> tuple[Surrogate, NumberedText]:
        """Return a copy to be tuned, whose table of vectors has the words of one text only, and the text for that table."""
        used, numbers = np.unique(np.append(ABSENT, text.numbers), return_inverse=True)
        vectors = self.vectors.detach()[torch.from_numpy(used).to(self.device)].clone()
        few = NumberedText(numbers[1:], text.players, text.lengths)
        return Surrogate(copy.deepcopy(self.network), torch.nn.Parameter(vectors), self.scale), few


def _like(array: Matrix, scores: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(array, dtype=scores.dtype, device=scores.device)
