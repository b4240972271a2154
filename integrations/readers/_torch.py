"""Reader of PyTorch's modules, which are black boxes.

PyTorch is not imported: all that is needed are methods of the module and of its weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._predict_function import describe_function
from automl_explain.integrations.readers._matrix import to_matrix


def describe(module: Any, examples: Any = None) -> FittedModel:
    """Describe a module as a predict function: rows go in with the type and device of its weights, in evaluation mode."""
    return describe_function(ModuleCall(module), examples, type(module).__name__)


@dataclass(frozen=True)
class ModuleCall:
    """A module as a function from a table of numbers to its outputs as an array.

    Parameters
    ----------
    module : torch.nn.Module
    """

    module: Any

    def __call__(self, table: Any) -> Any:
        """Return the outputs for the rows of a table, without gradients."""
        rows = to_matrix(table)
        weights = next(iter(self.module.parameters()), None)
        with evaluating(self.module):
            return self.module(rows if weights is None else weights.new_tensor(rows)).detach().cpu().numpy()


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Keep dropout and batch statistics off, then give each part of the module its own mode back."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
