"""Calls of PyTorch modules from numpy arrays that leave everything of the caller's as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.neural._network import Arrays, Chosen, Gradients, Matrix
from automl_explain.explainers.neural._torch_threads import one_thread
from automl_explain.integrations.readers.neural._calls import choose_one, not_rows

Tensors: TypeAlias = tuple[torch.Tensor, ...]
SOFTMAX = "softmax"
SIGMOID = "sigmoid"
LOG_SOFTMAX = "log_softmax"
LAST: dict[Callable[..., Any], str] = {
    **dict.fromkeys((torch.softmax, torch.nn.functional.softmax, torch.Tensor.softmax), SOFTMAX),
    **dict.fromkeys(
        (torch.log_softmax, torch.nn.functional.log_softmax, torch.Tensor.log_softmax, torch.special.log_softmax),
        LOG_SOFTMAX,
    ),
    **dict.fromkeys((torch.sigmoid, torch.nn.functional.sigmoid, torch.Tensor.sigmoid, torch.special.expit), SIGMOID),
}
"""Functions that may end a network -> what they are."""


class LastLink(TorchFunctionMode):
    """Watches for the softmax or sigmoid that makes the output of a module, and keeps its input."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: list[tuple[str, torch.Tensor, torch.Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        kind = LAST.get(func)
        if kind is not None:
            taken = args[0] if args else (kwargs or {})["input"]
            self._seen[:] = [(kind, taken, made)]
        return made

    def of(self, output: torch.Tensor) -> tuple[str, torch.Tensor] | None:
        """Return what made the output, and its input; None if the output was made otherwise, or changed afterwards."""
        for kind, taken, made in self._seen:
            same = made.data_ptr() == output.data_ptr() and made.numel() == output.numel()
            if same and made.device == output.device and _over_last_axis(kind, made):
                return kind, taken.reshape(output.shape)
        return None


def _over_last_axis(kind: str, made: torch.Tensor) -> bool:
    """Whether a softmax adds up over the outputs of a row."""
    if kind == SIGMOID or made.ndim != 2:
        return kind == SIGMOID
    total = made.detach().exp() if kind == LOG_SOFTMAX else made.detach()
    return bool(torch.allclose(total.sum(dim=1), torch.ones((), dtype=made.dtype, device=made.device), atol=1e-4))


class _FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """Counts the operations of this thread. PyTorch's `FlopCounterMode` hooks the modules of all threads."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total, self.of_images = 0.0, 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        count = flop_registry.get(func._overloadpacket)
        if count is None and func is not torch.ops.prim.device.default:
            with self:
                made = func.decompose(*args, **kwargs)
            if made is not NotImplemented:
                return made
        made = func(*args, **kwargs)
        if count is not None:
            operations = float(count(*args, **kwargs, out_val=made))
            self.total += operations
            if func._overloadpacket is torch.ops.aten.convolution and args[0].ndim == 4:
                self.of_images += operations
        return made


class Multiplications(NamedTuple):
    """Multiplications per row: all of them, and those in convolutions of images."""

    total: float
    of_images: float


@dataclass(frozen=True, eq=False)
class ModuleCalls:
    """A module, or a function of tensors, as functions of numpy arrays.

    Parameters
    ----------
    function : callable
        The module, or the function of tensors.
    device : torch.device
        Device of its weights.
    name : str
        Name in messages.
    before_link : bool
        Whether the outputs are those before the last softmax or sigmoid.
    one_thread : bool
        Whether calls are so short that threads would take longer to meet than to compute, above all on busy machines.
    """

    function: Callable[..., Any]
    device: torch.device
    name: str
    before_link: bool = False
    one_thread: bool = True

    def state(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Yield the number, type and bytes of each weight; none of a function. NumPy does not have all types of torch."""
        if isinstance(self.function, torch.nn.Module):
            for number, weight in enumerate(self.function.state_dict().values()):
                if isinstance(weight, torch.Tensor):
                    cells = weight.detach().cpu().contiguous().reshape(-1)
                    yield f"{number} {weight.dtype} {tuple(weight.shape)}", cells.view(torch.uint8).numpy()

    def forward(self, arrays: Arrays) -> Matrix:
        """Return the outputs, (M, K) float64."""
        with self.undisturbed(), torch.no_grad():
            return as_matrix(self.outputs(self.tensors(arrays)))

    def again(self, arrays: Arrays) -> Matrix:
        """Return the outputs of a second call, with the random state after the first one."""
        with self.undisturbed(), torch.no_grad():
            tensors = self.tensors(arrays)
            self.outputs(tensors)
            return as_matrix(self.outputs(tensors))

    def gradients(self, arrays: Arrays, chosen: Chosen = None) -> Gradients:
        """Return the derivatives of each chosen output by each cell, one array (K, M, *shape) per input."""
        with self.undisturbed(backward=True), torch.enable_grad():
            tensors = tuple(tensor.requires_grad_() for tensor in self.tensors(arrays))
            outputs = self.outputs(tensors)
            numbers = list(range(outputs.shape[1])) if chosen is None else chosen.tolist()
            found = [
                self._derivatives(outputs[:, k].sum(), tensors, keep=place < len(numbers))
                for place, k in enumerate(numbers, 1)
            ]
        return tuple(np.stack(each) for each in zip(*found, strict=True))

    def _derivatives(self, total: torch.Tensor, tensors: Tensors, *, keep: bool) -> list[npt.NDArray[np.float64]]:
        if not total.requires_grad:
            return [np.zeros(tensor.shape) for tensor in tensors]
        made = torch.autograd.grad(total, tensors, retain_graph=keep, allow_unused=True)
        return [
            np.zeros(tensor.shape) if grad is None else grad.detach().double().cpu().numpy()
            for grad, tensor in zip(made, tensors, strict=True)
        ]

    def tensors(self, arrays: Arrays) -> Tensors:
        """Return copies of arrays as tensors on the device."""
        return tuple(torch.tensor(array, device=self.device) for array in arrays)

    def outputs(self, tensors: Tensors) -> torch.Tensor:
        """Return the outputs for tensors, (M, K)."""
        if not self.before_link:
            return one_output(self.function(*tensors), len(tensors[0]), self.name)
        with LastLink() as link:
            made = self.function(*tensors)
        output = one_output(made, len(tensors[0]), self.name)
        found = link.of(output)
        if found is None:
            raise InvalidInputError(
                f"{self.name} does not end with a softmax or sigmoid for all rows, so that it has no log-odds."
            )
        scores: torch.Tensor = found[1]
        return scores

    def last_link(self, arrays: Arrays) -> str:
        """Return the name of the last operation if it is a softmax, log-softmax or sigmoid, otherwise an empty text."""
        with self.undisturbed(), torch.no_grad(), LastLink() as link:
            made = self.function(*self.tensors(arrays))
        found = link.of(one_output(made, len(arrays[0]), self.name))
        return "" if found is None else found[0]

    def multiplications(self, arrays: Arrays) -> Multiplications:
        """Return the multiplications per row in products of matrices and convolutions."""
        counter = _FlopCounter()
        with self.undisturbed(), torch.enable_grad(), counter:
            self.outputs(self.tensors(arrays))  # without gradients, transformers call one operation that is not counted
        return Multiplications(*(count / 2.0 / len(arrays[0]) for count in (counter.total, counter.of_images)))

    def sizes(self, arrays: Arrays) -> int:
        """Return the number of cells that the parts of a module make for each row, which bounds its memory."""
        if not isinstance(self.function, torch.nn.Module):
            return 0
        made = [0]

        def count(module: Any, taken: Any, output: Any) -> None:
            parts = output if isinstance(output, list | tuple) else (output,)
            made[0] += sum(part.numel() for part in parts if isinstance(part, torch.Tensor))

        handles = [part.register_forward_hook(count) for part in self.function.modules()]
        try:
            with self.undisturbed(), torch.enable_grad():
                self.outputs(self.tensors(arrays))
        finally:
            for handle in handles:
                handle.remove()
        return made[0] // max(1, len(arrays[0]))

    @contextmanager
    def undisturbed(self, *, backward: bool = False) -> Iterator[None]:
        """Keep dropout and batch statistics off, and leave modes, random state and precision as they were."""
        with ExitStack() as stack:
            on_gpu = self.device.type == "cuda"
            stack.enter_context(torch.random.fork_rng([self.device] if on_gpu else []))
            stack.enter_context(torch.autocast(self.device.type, enabled=False))
            if isinstance(self.function, torch.nn.Module):
                stack.enter_context(evaluating(self.function))
            if self.one_thread and not on_gpu:
                stack.enter_context(one_thread())
            if on_gpu:
                stack.enter_context(_full_precision(cudnn=not backward))
            yield


@dataclass
class _Modes:
    """Modes that the parts of a module had, and how many calls run in evaluation mode."""

    training: list[torch.nn.Module]
    evaluated: list[torch.nn.Module]
    n_calls: int = 0


_modes: dict[int, _Modes] = {}
"""The modules that are being called, by id; several threads may call one module."""
_modes_lock = Lock()


@contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Keep dropout and batch statistics off, then give each part of the module its own mode back.

    If several threads call a module, the last one gives the modes back.
    """
    with _modes_lock:
        modes = _modes.get(id(module))
        if modes is None:
            parts = list(module.modules())
            modes = _Modes([part for part in parts if part.training], [part for part in parts if not part.training])
            _modes[id(module)] = modes
            if modes.training:
                module.eval()
        modes.n_calls += 1
    try:
        yield
    finally:
        with _modes_lock:
            modes.n_calls -= 1
            if not modes.n_calls:
                del _modes[id(module)]
                for parts, training in ((modes.training, True), (modes.evaluated, False)):
                    for part in parts:
                        if part.training is not training:  # assigning takes much longer than asking
                            part.training = training


@contextmanager
def _full_precision(*, cudnn: bool) -> Iterator[None]:
    """Compute in float32 without TF32; recurrent networks in evaluation mode have a backward pass only without cuDNN."""
    matmul = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=cudnn and torch.backends.cudnn.enabled, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul


def one_output(made: Any, n_rows: int, name: str) -> torch.Tensor:
    """Return the output of a module as (M, K).

    Raises
    ------
    InvalidInputError
        If the output is not one tensor with one row of numbers per example.
    """
    if not isinstance(made, torch.Tensor):
        raise InvalidInputError(f"{name} must return one tensor. {choose_one(made)}")
    if made.ndim < 1 or len(made) != n_rows or made[:1].numel() != made.shape[-1] ** (made.ndim > 1):
        raise not_rows(tuple(made.shape), n_rows, name)
    return made.reshape(n_rows, -1)


def as_matrix(outputs: torch.Tensor) -> Matrix:
    """Return a tensor as a float64 matrix."""
    return np.asarray(outputs.detach().double().cpu().numpy())
