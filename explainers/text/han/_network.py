"""The hierarchical attention network of Yang et al. (2016), in PyTorch.

Words become vectors, a bidirectional GRU reads each sentence, and attention weighs its words to a vector of the sentence.
A second GRU and attention do the same with the sentences of a text, and a linear layer gives the outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from automl_explain.explainers.text.han._recurrence import gate_inputs, pack, states
from automl_explain.explainers.text.han._vocabulary import NumberedText

HIDDEN = 50
"""Numbers of the state of a GRU in each direction."""
TEXTS_AT_ONCE = 64
"""Texts per forward pass."""


class Batch(NamedTuple):
    """Texts as tensors: the words of all sentences below each other, (S, L), and where each sentence belongs."""

    numbers: torch.Tensor
    lengths: torch.Tensor
    """Words of each sentence, (S,), on the CPU."""
    text: torch.Tensor
    """Text of each sentence, (S,)."""
    place: torch.Tensor
    """Position of each sentence in its text, (S,)."""
    n_sentences: torch.Tensor
    """Sentences of each text, (D,), on the CPU."""


class Read(NamedTuple):
    """What the network makes of D texts: scores (D, K), and the attention of words (S, L) and of sentences (D, most)."""

    scores: torch.Tensor
    words: torch.Tensor
    sentences: torch.Tensor


def as_batch(texts: Sequence[NumberedText], device: torch.device) -> Batch:
    """Return texts as tensors."""
    lengths = np.concatenate([text.lengths for text in texts])
    n_sentences = np.array([len(text.lengths) for text in texts])
    numbers = np.zeros((len(lengths), int(lengths.max())), np.int64)
    numbers[np.arange(numbers.shape[1]) < lengths[:, None]] = np.concatenate([text.numbers for text in texts])
    text, place = np.repeat(np.arange(len(texts)), n_sentences), np.concatenate([np.arange(n) for n in n_sentences])
    on_device = (torch.from_numpy(each).to(device) for each in (numbers, text, place))
    moved = list(on_device)
    return Batch(moved[0], torch.from_numpy(lengths), moved[1], moved[2], torch.from_numpy(n_sentences))


class HierarchicalAttention(nn.Module):
    """The network; its table of word vectors is passed to each call, since a text that is tuned has a small one of its own.

    Parameters
    ----------
    dimension : int
        Numbers per word.
    n_outputs : int
    """

    def __init__(self, dimension: int, n_outputs: int) -> None:
        super().__init__()
        self.word, self.sentence = _Attention(dimension), _Attention(2 * HIDDEN)
        self.output = nn.Linear(2 * HIDDEN, n_outputs)

    def forward(self, batch: Batch, vectors: torch.Tensor, words: torch.Tensor) -> Read:
        """Return the scores of texts.

        Parameters
        ----------
        batch : Batch
        vectors : Tensor, shape (U, dimension)
            Vectors of different words.
        words : Tensor of int, shape (S, L)
            Which of them each word of the batch is.
        """
        sentences, weights = self.word(vectors, words, batch.lengths)
        shape = len(batch.n_sentences), int(batch.n_sentences.max())
        which = torch.zeros(shape, dtype=torch.int64, device=vectors.device)
        which[batch.text, batch.place] = torch.arange(len(sentences), device=vectors.device)
        made, over = self.sentence(sentences, which, batch.n_sentences)
        return Read(self.output(made), weights, over)


class _Attention(nn.Module):
    """A bidirectional GRU over sequences, and the mean of its states, weighed by attention."""

    def __init__(self, n_inputs: int) -> None:
        super().__init__()
        self.states = nn.GRU(n_inputs, HIDDEN, bidirectional=True, batch_first=True)
        self.hidden = nn.Linear(2 * HIDDEN, 2 * HIDDEN)
        self.context = nn.Linear(2 * HIDDEN, 1, bias=False)

    def forward(
        self, elements: torch.Tensor, which: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the vector of each sequence, (N, 2 HIDDEN), and the weights of its elements, (N, L).

        `elements` (U, n) are the different elements, and `which` (N, L) says where each one stands.
        """
        packing = pack(lengths, elements.device)
        made = states(gate_inputs(elements, self.states), which.reshape(-1), self.states, packing)
        scores = self.context(torch.tanh(self.hidden(made)))[:, 0]
        table = scores.new_full((which.numel(),), float("-inf")).index_put((packing.cells,), scores)
        weights = torch.softmax(table.view(which.shape), dim=1)
        each = weights.view(-1)[packing.cells]
        mean = made.new_zeros(len(which), made.shape[1]).index_add(0, packing.sequence, each[:, None] * made)
        return mean, weights


def initialised(dimension: int, n_outputs: int, rng: np.random.Generator) -> HierarchicalAttention:
    """Return a network with random weights, which leaves PyTorch's random state as it was."""
    with torch.random.fork_rng([]):
        torch.manual_seed(int(rng.integers(2**31)))
        return HierarchicalAttention(dimension, n_outputs)


def weights_of(network: nn.Module) -> dict[str, npt.NDArray[Any]]:
    """Return the weights as arrays, by name."""
    return {name: weight.detach().cpu().numpy() for name, weight in network.state_dict().items()}
