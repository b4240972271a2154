"""Images that packages ship, in all layouts, and networks of images."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from skimage import data
from torch import nn

N_FACES = 100
"""The first images of `lfw_subset` are faces, the others are not."""


@functools.cache
def faces() -> tuple[np.ndarray, np.ndarray]:
    """Return 200 grey images of 25 x 25 pixels, (n, 1, 25, 25) float32, and whether each is a face."""
    images = data.lfw_subset().astype(np.float32)[:, None]
    return images, (np.arange(len(images)) < N_FACES).astype(int)


@functools.cache
def colours() -> np.ndarray:
    """Return three parts of a photograph, (3, 24, 20, 3) uint8."""
    whole = data.astronaut()
    return np.stack([whole[row : row + 96 : 4, 180:260:4] for row in (40, 100, 160)])


def small_network(channels: int = 1, size: tuple[int, int] = (25, 25), n_outputs: int = 3, seed: int = 0) -> nn.Module:
    """Return an untrained convolutional network that ends with a softmax."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        cells = 4 * (size[0] // 2) * (size[1] // 2)
        return nn.Sequential(
            nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(cells, n_outputs),
            nn.Softmax(1),
        ).eval()  # fmt: skip


@functools.cache
def face_network(epochs: int = 10) -> nn.Module:
    """Return a network trained on every other image, which returns probabilities of (other, face)."""
    images, labels = faces()
    X, y = torch.from_numpy(images[::2]), torch.from_numpy(labels[::2])
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 36, 2), nn.Softmax(1),
        )  # fmt: skip
        optimiser = torch.optim.Adam(network.parameters(), 5e-3)
        for _ in range(epochs):
            for rows in torch.randperm(len(X)).split(20):
                optimiser.zero_grad()
                nn.functional.nll_loss(network(X[rows]).clamp_min(1e-9).log(), y[rows]).backward()
                optimiser.step()
    return network.eval()


def outputs_of(network: nn.Module) -> Callable[[Any], np.ndarray]:
    """Return a network as a function of arrays."""

    def outputs(images: Any) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(np.ascontiguousarray(images))).numpy().astype(np.float64)

    return outputs


def corners(images: Any) -> np.ndarray:
    """Return two outputs of images, channels last or none: products of the means of corners, in [0, 1]."""
    images = np.asarray(images, dtype=np.float64) / (255.0 if images.dtype == np.uint8 else 1.0)
    images = images.reshape(*images.shape[:3], -1).mean(axis=3)
    rows, columns = images.shape[1] // 2, images.shape[2] // 2
    upper, lower = images[:, :rows], images[:, rows:]
    means = [part.mean(axis=(1, 2)) for part in (upper[..., :columns], upper[..., columns:], lower)]
    return np.stack([means[0] * means[1] + 0.3 * means[2], np.sin(3 * means[0] + means[2]) * means[1]], axis=1)
