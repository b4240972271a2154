"""Devices of PyTorch, which raises errors of five types for names that it does not have."""

import pytest

from automl_explain import InvalidInputError
from automl_explain.explainers.neural._torch_devices import as_device


@pytest.mark.parametrize("device", ["strange", "", "a\0b", "cuda:99", -1, 2**70, 1.5, None, [1]])
def test_what_is_no_device_is_refused(device):
    with pytest.raises(InvalidInputError, match="must name a device of this PyTorch"):
        as_device(device)


def test_devices_have_names():
    assert as_device("cpu").type == "cpu"
