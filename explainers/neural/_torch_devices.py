"""Devices of PyTorch by name. Only modules that import PyTorch import this one."""

from __future__ import annotations

from typing import Any

import torch

from automl_explain.explainers._errors import InvalidInputError


def as_device(device: Any) -> torch.device:
    """Return a device by its name; "auto" is a GPU if there is one.

    Raises
    ------
    InvalidInputError
        If this PyTorch does not have the device.
    """
    name = ("cuda" if torch.cuda.is_available() else "cpu") if isinstance(device, str) and device == "auto" else device
    try:
        found = torch.device(name)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(
            f"The 'device' parameter must name a device of this PyTorch, such as 'cpu' or 'cuda', or 'auto'. Got {device!r}: "
            f"{error}"
        ) from error
    return found
