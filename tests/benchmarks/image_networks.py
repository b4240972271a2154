"""Networks and images of the benchmark of images."""

from itertools import pairwise

import numpy as np
import torch
from skimage import data, transform
from torch import nn

from tests.image_cases import faces


def scaled_faces():
    """Return all images at 48 x 48 pixels, (n, 1, 48, 48) float32, and whether each is a face."""
    images, labels = faces()
    return np.stack([transform.resize(one, (48, 48)) for one in images[:, 0]]).astype(np.float32)[:, None], labels


def trained(images, labels):
    X, y = torch.from_numpy(images[::2]), torch.from_numpy(labels[::2])
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 36, 2),
        nn.Softmax(1),
    )  # fmt: skip
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(15):
        for rows in torch.randperm(len(X)).split(20):
            optimiser.zero_grad()
            nn.functional.nll_loss(network(X[rows]).clamp_min(1e-9).log(), y[rows]).backward()
            optimiser.step()
    network.eval()
    with torch.no_grad():
        right = (network(torch.from_numpy(images[1::2])).argmax(1).numpy() == labels[1::2]).mean()
    return network, right


class Block(nn.Module):
    """A block of a residual network."""

    def __init__(self, taken, made, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(taken, made, 3, stride, 1, bias=False), nn.BatchNorm2d(made), nn.ReLU(),
            nn.Conv2d(made, made, 3, 1, 1, bias=False), nn.BatchNorm2d(made),
        )  # fmt: skip
        self.skip = nn.Identity() if stride == 1 and taken == made else nn.Conv2d(taken, made, 1, stride, bias=False)

    def forward(self, x):
        return torch.relu(self.body(x) + self.skip(x))


def residual_network(width):
    """Return an untrained ResNet-18, whose first layers have this many channels (64 in the original)."""
    torch.manual_seed(0)
    sizes = [width, width, 2 * width, 4 * width, 8 * width]
    blocks = []
    for before, after in pairwise(sizes):
        blocks += [Block(before, after, 1 if before == after else 2), Block(after, after, 1)]
    return nn.Sequential(
        nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, 10), nn.Softmax(1),
    ).eval()  # fmt: skip


def astronaut():
    whole = data.astronaut()[20:244, 100:324]
    return np.moveaxis(whole / np.float32(255), -1, 0)[None].astype(np.float32)
