"""The rescale rule on the graph of operations of a PyTorch network.

The graph runs once for background rows and once for rows. The second run is differentiable, with these derivatives:

- linear operations: their own;
- element-wise operations: the change of the output divided by the change of the input, or the derivative between the two
  inputs if these are nearly equal;
- max-pooling: the maximum over both windows, compared with each of the two outputs, goes to the cell that has it;
- embeddings: the change of the embedded vector, summed over its dimensions.

One backward pass per output then gives the multipliers of all cells. Readers of PyTorch's objects import this
module, and nobody else.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.fx import Node
from torch.overrides import TorchFunctionMode

from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers._quiet import ignored
from automl_explain.explainers.neural._network import Arrays, Chosen, Gradients
from automl_explain.explainers.neural._torch_operations import (
    ELEMENTWISE,
    LAST,
    LINEAR,
    NUMERATOR_ONLY,
    POOLS,
    SEVERAL,
    SHAPES,
    Before,
    nonlinear,
    pooled,
)

Tensors: TypeAlias = tuple[torch.Tensor, ...]


READS = frozenset(
    getattr(torch.Tensor, name)
    for name in ("__bool__", "__int__", "__float__", "__index__", "item", "tolist", "nonzero")
)
"""Functions that turn tensors into numbers of Python, or into tensors of a size that depends on the data."""


@dataclass(frozen=True, eq=False)
class RescaleRule:
    """The rescale rule for one network; a `PairRule`.

    Parameters
    ----------
    nodes : tuple of Node
        Operations that the output needs, in order, without changes in place, for `n_pairs` examples.
    constants : mapping of str to tensor
        Parameters and buffers, by the names of their nodes.
    inputs : tuple of str
        Names of the nodes of the inputs.
    output : Node
        Node whose value is explained.
    active : frozenset of str
        Names of the nodes that depend on the inputs.
    n_pairs : int
        Pairs per run; fewer are filled up.
    device : torch.device
    undisturbed : callable
        Makes the context in which the network runs.
    last : dict
        The background rows of the last pass and the values of their run, which the next pass often needs again.
    """

    nodes: tuple[Any, ...]
    constants: Mapping[str, Any]
    inputs: tuple[str, ...]
    output: Node
    active: frozenset[str]
    n_pairs: int
    device: torch.device
    undisturbed: Callable[[], AbstractContextManager[None]]
    last: dict[str, tuple[Arrays, dict[str, Any]]] = field(default_factory=dict)

    def contributions(self, rows: Arrays, others: Arrays, chosen: Chosen = None) -> Gradients:
        """Return the contribution of each cell to the difference of each chosen output between M rows and M others."""
        parts = []
        for start in range(0, len(rows[0]), self.n_pairs):
            mine, theirs = (tuple(array[start : start + self.n_pairs] for array in arrays) for arrays in (rows, others))
            parts.append(self._chunk(mine, theirs, chosen))
        return tuple(np.concatenate(each, axis=1) for each in zip(*parts, strict=True))

    def _chunk(self, rows: Arrays, others: Arrays, chosen: Chosen) -> Gradients:
        n_rows = len(rows[0])
        with self.undisturbed():
            mine = tuple(self._filled(array) for array in rows)
            absent = self._absent(others)
            theirs = [absent[name] for name in self.inputs]
            with torch.enable_grad():
                leaves = tuple(tensor.requires_grad_() for tensor in mine)
                outputs = self._run(leaves, absent)[self.output.name].reshape(self.n_pairs, -1)
                changes = [
                    (own.detach().double() - other.double())[:n_rows] for own, other in zip(leaves, theirs, strict=True)
                ]
                numbers = list(range(outputs.shape[1])) if chosen is None else chosen.tolist()
                found = []
                for place, k in enumerate(numbers, 1):
                    keep = place < len(numbers)
                    made = torch.autograd.grad(outputs[:n_rows, k].sum(), leaves, retain_graph=keep, allow_unused=True)
                    found.append([_product(grad, change) for grad, change in zip(made, changes, strict=True)])
        return tuple(np.stack(each) for each in zip(*found, strict=True))

    def _absent(self, others: Arrays) -> dict[str, Any]:
        """Return the values of all nodes for background rows."""
        known = self.last.get("run")
        if known is not None and all(map(np.array_equal, known[0], others)):
            return known[1]
        with torch.no_grad():
            absent = self._run(tuple(self._filled(array) for array in others), None)
        self.last["run"] = others, absent
        return absent

    def _filled(self, array: npt.NDArray[Any]) -> torch.Tensor:
        """Return an array as floating-point numbers on the device, filled up to the number of pairs of a run."""
        more = self.n_pairs - len(array)
        filled = np.concatenate([array, np.repeat(array[-1:], more, axis=0)]) if more else array
        tensor = torch.tensor(filled, device=self.device)
        return tensor if tensor.is_floating_point() else tensor.double()

    def _run(self, inputs: Tensors, absent: dict[str, Any] | None) -> dict[str, Any]:
        """Return the value of each node; with the values of the background run, a run with the derivatives of the rule."""
        values: dict[str, Any] = {**self.constants, **dict(zip(self.inputs, inputs, strict=True))}

        def value(node: Node) -> Any:
            return values[node.name]

        for node in self.nodes:
            args, kwargs = torch.fx.map_arg((node.args, dict(node.kwargs)), value)
            name = operation(node)
            if name == "embedding":
                args = (args[0], args[1].long() if absent is None else args[1], *args[2:])
            if absent is None and name in POOLS:
                values[node.name], values[f"{node.name} places"] = pooled(POOLS[name], args, kwargs)
                continue
            if absent is not None and node.name in self.active and _makes_whole(name, kwargs):
                values[node.name] = args[0]  # stays differentiable, and is converted where it is looked up
                continue
            if absent is None or node.name not in self.active or name in LINEAR:
                values[node.name] = node.target(*args, **kwargs)
                continue
            other = absent[node.args[1 if name == "embedding" else 0].name]
            before = Before(other, absent[node.name], absent.get(f"{node.name} places"))
            values[node.name] = nonlinear(name, node.target, args, kwargs, before)
        return values


def make_rule(
    module: torch.nn.Module,
    examples: Tensors,
    undisturbed: Callable[[], AbstractContextManager[None]],
    *,
    before_link: bool,
) -> RescaleRule:
    """Return the rescale rule for a module, from its exported graph.

    Parameters
    ----------
    module : Module
        It may be changed by the export.
    examples : tuple of tensor
        As many examples as there are pairs per run.
    undisturbed : callable
        Makes the context in which the network runs.
    before_link : bool
        Whether the input of the last softmax or sigmoid is explained.

    Raises
    ------
    UnsupportedModelError
        If the module cannot be exported, such as with branches that depend on the data, or an operation has no rule.
    """
    graph, constants, inputs = _exported(module, examples, undisturbed)
    (result,) = next(node for node in reversed(graph.nodes) if node.op == "output").args[0]
    output = _before_link(result) if before_link else result
    active = _active(graph, inputs)
    needed = _needed(output)
    nodes = tuple(node for node in graph.nodes if node.op == "call_function" and node.name in needed)
    for node in nodes:
        if node.name in active:
            _check(node, active)
    device = examples[0].device
    return RescaleRule(nodes, constants, inputs, output, active, len(examples[0]), device, undisturbed)


class _NoBranches(TorchFunctionMode):
    """Refuses modules that read single numbers of tensors, as branches do; torch.export would write to stderr about them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in READS:
            raise UnsupportedModelError(
                f"it has a branch that depends on the data (it calls {func.__name__} on a tensor), so that its operations "
                "cannot be listed"
            )
        return func(*args, **(kwargs or {}))


def _makes_whole(name: str, kwargs: Any) -> bool:
    dtype = kwargs.get("dtype")
    return name == "_to_copy" and dtype is not None and not dtype.is_floating_point


def operation(node: Node) -> str:
    """Return the plain name of a node's operation, such as "relu" for aten.relu.default."""
    if node.target is operator.getitem:
        return "getitem"
    return str(node.target).removeprefix("aten.").partition(".")[0]


def _exported(
    module: torch.nn.Module, examples: Tensors, undisturbed: Callable[[], AbstractContextManager[None]]
) -> tuple[torch.fx.Graph, dict[str, Any], tuple[str, ...]]:
    with undisturbed(), torch.no_grad(), _NoBranches():
        module(*examples)
    try:
        with undisturbed(), torch.no_grad(), ignored():  # torch.export warns of its own deprecated calls
            program = torch.export.export(module, examples, strict=False).run_decompositions({})
    except Exception as error:  # exporting runs the module's own code, which may raise anything
        raise UnsupportedModelError(
            f"torch.export cannot list its operations ({type(error).__name__}: {str(error).strip().partition(chr(10))[0]})"
        ) from error
    signature = program.graph_signature
    stored = {**program.state_dict, **program.constants}
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    constants = {node: stored[name].detach() for node, name in names.items()}
    if len(signature.user_inputs) != len(examples) or len(signature.user_outputs) != 1:
        raise UnsupportedModelError("its exported graph has other inputs or outputs than the module")
    return program.graph, constants, tuple(map(str, signature.user_inputs))


def _before_link(node: Node) -> Node:
    while operation(node) in SHAPES:
        node = node.args[0]  # type: ignore[assignment]
    if operation(node) not in LAST:
        raise UnsupportedModelError(f"it ends with {operation(node)}, not with a softmax or sigmoid")
    return node.args[0]  # type: ignore[return-value]


def _active(graph: torch.fx.Graph, inputs: tuple[str, ...]) -> frozenset[str]:
    active = set(inputs)
    for node in graph.nodes:
        if any(each.name in active for each in node.all_input_nodes):
            active.add(node.name)
    return frozenset(active)


def _needed(output: Node) -> set[str]:
    needed, todo = set(), [output]
    while todo:
        node = todo.pop()
        if node.name not in needed:
            needed.add(node.name)
            todo += node.all_input_nodes
    return needed


def _check(node: Node, active: frozenset[str]) -> None:
    """Raise `UnsupportedModelError` if a node that depends on the inputs has no rule."""
    name = operation(node)
    depends = [each.name in active for each in node.all_input_nodes]
    first = isinstance(node.args[0], Node) and node.args[0].name in active
    if name in LINEAR:
        if (sum(depends) <= 1 and (first or name not in NUMERATOR_ONLY)) or name in SEVERAL:
            return
        raise UnsupportedModelError(f"its operation {name} combines several values that depend on the inputs")
    if name == "embedding" and not first:
        return
    if (name in ELEMENTWISE or name in POOLS) and first and sum(depends) == 1:
        return
    raise UnsupportedModelError(f"there is no rule for its operation {name}")


def _product(grad: torch.Tensor | None, change: torch.Tensor) -> npt.NDArray[np.float64]:
    """Return multipliers times changes of the inputs, in float64."""
    if grad is None:
        return np.zeros(tuple(change.shape))
    return np.asarray((grad[: len(change)].double() * change).cpu().numpy())
