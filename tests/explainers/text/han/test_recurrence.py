"""The recurrence agrees with PyTorch's own GRU over packed sequences: states, and gradients of all weights."""

from __future__ import annotations

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from automl_explain.explainers.text.han._recurrence import gate_inputs, pack, states


@pytest.mark.parametrize("lengths", [[1], [3], [2, 5, 1, 5], [1, 1, 1], [4, 3, 2, 1, 4, 1]])
def test_states_and_gradients_are_those_of_pytorch(lengths):
    random = torch.Generator().manual_seed(len(lengths))
    n_inputs, width, most = 4, 3, max(lengths)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        gru = torch.nn.GRU(n_inputs, width, bidirectional=True, batch_first=True, dtype=torch.float64)
    table = torch.randn(6, n_inputs, generator=random, dtype=torch.float64, requires_grad=True)
    which = torch.randint(6, (len(lengths), most), generator=random)
    sizes = torch.tensor(lengths)
    weigh = torch.randn(len(lengths), most, 2 * width, generator=random, dtype=torch.float64)

    packed = pack_padded_sequence(table[which], sizes, batch_first=True, enforce_sorted=False)
    wanted = pad_packed_sequence(gru(packed)[0], batch_first=True)[0]
    wanted_grads = torch.autograd.grad((wanted * weigh).sum(), [table, *gru.parameters()])

    packing = pack(sizes, torch.device("cpu"))
    made = states(gate_inputs(table, gru), which.reshape(-1), gru, packing)
    found = torch.zeros(len(lengths) * most, 2 * width, dtype=torch.float64).index_put((packing.cells,), made)
    found = found.view(wanted.shape)
    torch.testing.assert_close(found, wanted, rtol=0.0, atol=1e-12)
    grads = torch.autograd.grad((found * weigh).sum(), [table, *gru.parameters()])
    for one, other in zip(grads, wanted_grads, strict=True):
        torch.testing.assert_close(one, other, rtol=0.0, atol=1e-11)
    assert packing.sequence.tolist() == (packing.cells // most).tolist()
