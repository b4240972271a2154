"""Families of PyTorch networks, each with examples: the tests and the benchmark run over all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

N_EXAMPLES = 30


class Net(nn.Module):
    """Modules, and a function that uses them."""

    def __init__(self, forward: Callable[..., Any], **parts: nn.Module) -> None:
        super().__init__()
        self._forward = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self._forward(self, *inputs)


def mlp(*between: nn.Module, n_outputs: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), *between, nn.Linear(16, n_outputs))


def reused() -> nn.Module:
    return Net(
        lambda net, x: net.c(net.relu(net.b(net.relu(net.a(x))))),
        a=nn.Linear(8, 16), b=nn.Linear(16, 16), c=nn.Linear(16, 3), relu=nn.ReLU(),
    )  # fmt: skip


def without_modules() -> nn.Module:
    return Net(lambda net, x: net.b(functional.relu(net.a(x))), a=nn.Linear(8, 16), b=nn.Linear(16, 3))


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 2), nn.ReLU(),
        nn.MaxPool2d(2, 1), nn.Flatten(), nn.Linear(16, 3),
    )  # fmt: skip


def embedded() -> nn.Module:
    return Net(lambda net, x: net.b(torch.tanh(net.a(x).flatten(1))), a=nn.Embedding(9, 4), b=nn.Linear(24, 2))


def recurrent(kind: type) -> nn.Module:
    return Net(lambda net, x: net.b(net.a(x)[0][:, -1]), a=kind(2, 8, batch_first=True), b=nn.Linear(8, 2))


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return Net(lambda net, x: net.c(net.b(net.a(x)).mean(1)), a=nn.Linear(2, 8), b=layer, c=nn.Linear(8, 2))


def several() -> nn.Module:
    return Net(
        lambda net, x, y: net.c(torch.cat([functional.relu(net.a(x)), net.b(y).flatten(1)], 1)),
        a=nn.Linear(3, 8), b=nn.Conv1d(2, 3, 2), c=nn.Linear(14, 2),
    )  # fmt: skip


TABLE, IMAGE, SEQUENCE = ((8,),), ((1, 8, 8),), ((6, 2),)
FAMILIES: dict[str, tuple[Callable[[], nn.Module], tuple[tuple[int, ...], ...]]] = {
    "reused ReLU": (reused, TABLE),
    "functional ReLU": (without_modules, TABLE),
    "inplace ReLU": (lambda: mlp(nn.ReLU(inplace=True)), TABLE),
    "GELU": (lambda: mlp(nn.GELU()), TABLE),
    "SiLU": (lambda: mlp(nn.SiLU()), TABLE),
    "softmax": (lambda: nn.Sequential(mlp(nn.ReLU()), nn.Softmax(1)), TABLE),
    "LayerNorm": (lambda: mlp(nn.LayerNorm(16), nn.ReLU()), TABLE),
    "BatchNorm": (lambda: mlp(nn.BatchNorm1d(16), nn.ReLU()), TABLE),
    "Conv + MaxPool": (convolutional, IMAGE),
    "Embedding": (embedded, ((6,),)),
    "GRU": (lambda: recurrent(nn.GRU), SEQUENCE),
    "LSTM": (lambda: recurrent(nn.LSTM), SEQUENCE),
    "transformer": (transformer, SEQUENCE),
    "several inputs": (several, ((3,), (2, 3))),
}
"""Name -> a function that makes the network, and the shapes of its inputs."""


def make(name: str, seed: int = 0) -> tuple[nn.Module, list[np.ndarray]]:
    """Return a network in evaluation mode, and examples of each of its inputs."""
    build, shapes = FAMILIES[name]
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        module = build()
        for part in module.modules():
            if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.normal_(part.running_mean)
    rng = np.random.default_rng(seed)
    if name == "Embedding":
        return module.eval(), [rng.integers(0, 9, (N_EXAMPLES, *shape)) for shape in shapes]
    return module.eval(), [rng.normal(size=(N_EXAMPLES, *shape)).astype(np.float32) for shape in shapes]
