"""Outputs of the parts of PyTorch modules, and the derivatives by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from automl_explain.explainers.neural._network import Arrays, Matrix
from automl_explain.integrations.readers.neural._torch_calls import ModuleCalls, as_matrix


@dataclass(frozen=True, eq=False)
class ModuleLayers:
    """The parts of a module; see `Layers`.

    Parameters
    ----------
    calls : ModuleCalls
        Of a module, not of a function.
    """

    calls: ModuleCalls

    def shapes(self, arrays: Arrays) -> dict[str, tuple[int, ...]]:
        """Return the shape of the output of each part that makes one tensor."""
        made: dict[str, tuple[int, ...]] = {}
        handles = []
        for name, part in self.calls.function.named_modules():  # type: ignore[attr-defined]  # it is a module

            def note(module: Any, taken: Any, output: Any, name: str = name) -> None:
                if name and isinstance(output, torch.Tensor):
                    made.setdefault(name, tuple(output.shape))

            handles.append(part.register_forward_hook(note))
        try:
            self.calls.forward(arrays)
        finally:
            for handle in handles:
                handle.remove()
        return made

    def activations(self, arrays: Arrays, layer: str, output: int) -> tuple[Matrix, Matrix]:
        """Return the output of a part, and the derivatives of an output of the module by it."""
        seen: list[torch.Tensor] = []

        def keep(module: Any, taken: Any, made: torch.Tensor) -> torch.Tensor:
            if not made.requires_grad:
                made = made.detach().requires_grad_()
            seen.append(made)
            return made.clone()  # a later operation may change it in place

        part = self.calls.function.get_submodule(layer)  # type: ignore[attr-defined]  # it is a module
        handle = part.register_forward_hook(keep)
        try:
            with self.calls.undisturbed(backward=True), torch.enable_grad():
                outputs = self.calls.outputs(self.calls.tensors(arrays))
                (slopes,) = torch.autograd.grad(outputs[:, output].sum(), seen[-1:])
        finally:
            handle.remove()
        return as_matrix(seen[-1]), as_matrix(slopes)
