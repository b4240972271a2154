"""Calls of PyTorch modules by several threads at once, and the count of their multiplications."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from automl_explain import describe
from automl_explain.integrations.readers.neural._torch_calls import ModuleCalls

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
MODULES = {
    "linear": (nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2)), (4,)),
    "convolution": (nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)), (1, 6, 6)),
    "attention": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (5, 8)),
}


@pytest.mark.parametrize(("module", "shape"), MODULES.values(), ids=MODULES)
def test_multiplications_are_those_that_torch_counts(module, shape):
    rows = np.zeros((3, *shape), np.float32)

    def function(x):
        return module(x).flatten(1)

    with FlopCounterMode(display=False) as counter, torch.enable_grad():
        function(torch.tensor(rows, requires_grad=True))
    found = ModuleCalls(function, torch.device("cpu"), "module").multiplications((rows,))
    assert found.total == counter.get_total_flops() / 2 / 3 > 0


def test_networks_are_read_by_several_threads_at_once():
    modules = [nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 2)) for width in range(3, 43)]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda module: describe(module, X), modules))
    assert all(network.structure.gradients is not None for network in read)


def test_dropout_stays_off_while_several_threads_call_one_module():
    module = nn.Sequential(nn.Linear(4, 256), nn.Dropout(0.5), nn.Linear(256, 1)).train()
    module[2].eval()
    calls = ModuleCalls(module, torch.device("cpu"), "module")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: calls.forward((X,)), range(400)))
    assert all(np.array_equal(found[0], each) for each in found)
    assert [part.training for part in module.modules()] == [True, True, True, False]
