"""Images that are mixed with their channels last in memory, and networks that do not take them."""

import numpy as np
import pytest
import torch
from torch import nn

from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.neural._examples import Examples
from automl_explain.explainers.neural._mixing import mixed_in_numpy
from automl_explain.integrations.readers.neural._torch_calls import ModuleCalls
from automl_explain.integrations.readers.neural._torch_mixing import takes_channels_last
from tests.image_cases import small_network

RNG = np.random.default_rng(0)


class Viewing(nn.Module):
    """A network that calls ``view`` on the output of a convolution, which needs channels first in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 64, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.convolution(x).view(len(x), -1))


class Striding(nn.Module):
    """A network whose output depends on how its input lies in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(x).mean(dim=(2, 3)) + float(x.stride()[1] == 1)


def calls_of(module: nn.Module) -> ModuleCalls:
    return ModuleCalls(module.eval(), torch.device("cpu"), "module")


def images(channels: int, dtype: type = np.float32) -> np.ndarray:
    return RNG.normal(size=(5, channels, 8, 8)).astype(dtype)


@pytest.mark.parametrize("channels", [1, 3])
def test_networks_of_convolutions_take_channels_last(channels):
    module = small_network(channels, (8, 8))
    assert takes_channels_last(calls_of(module), (images(channels),))


@pytest.mark.parametrize("module", [Viewing(), Striding()], ids=lambda module: type(module).__name__)
def test_networks_that_refuse_or_change_are_given_channels_first(module):
    assert not takes_channels_last(calls_of(module), (images(3),))


def test_other_types_than_single_precision_are_given_channels_first():
    assert not takes_channels_last(calls_of(small_network(3, (8, 8)).double()), (images(3, np.float64),))


@pytest.mark.parametrize("make", [lambda: small_network(1, (8, 8)), lambda: small_network(3, (8, 8)), Viewing])
@pytest.mark.parametrize("by_pixel", [True, False])
def test_outputs_of_mixed_images_are_those_of_images_mixed_by_definition(make, by_pixel):
    module = make().eval()
    channels = next(module.parameters()).shape[1]
    X = images(channels)
    network = describe(module, Examples((X,))).structure
    n_cells = channels * 64
    players = np.tile(np.arange(64) // 5, channels) if by_pixel else np.arange(n_cells) % 7
    row, other = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    present = RNG.random((4, int(players.max()) + 1)) < 0.5
    rows, background = X[:2].reshape(2, -1).astype(float), X[2:4].reshape(2, -1).astype(float)
    made = network.mixer(rows, background, players)(row, other, present)
    known = mixed_in_numpy(network, rows, background, players)(row, other, present)
    np.testing.assert_allclose(made, known, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_convolutions_get_and_return_images_with_channels_last(channels):
    module, seen = small_network(channels, (8, 8)), []
    X = images(channels)
    network = describe(module, Examples((X,))).structure
    module[0].register_forward_hook(lambda layer, given, made: seen.append((given[0].stride(1), made.stride(1))))
    rows = X.reshape(5, -1).astype(float)
    network.mixer(rows[:1], rows[1:2], np.arange(channels * 64) % 4)(
        np.zeros(3, int), np.zeros(3, int), np.eye(3, 4) > 0
    )
    assert seen == [(1, 1)]
