"""Standard errors of sampled values, against recomputation without each block of pairs and against known values."""

import numpy as np
import pytest
from sklearn.svm import SVR

from automl_explain import KernelExplainer, SamplingOptions, TabularExplainer
from automl_explain.explainers.coalitions.sampling import _coalition_sampling as _design
from automl_explain.explainers.coalitions.sampling._adaptive_sampling import RowBlock
from automl_explain.explainers.coalitions.sampling._control_variate import ThirdOrderFit
from tests.explainers.coalitions.random_games import by_definition, random_game

N_PLAYERS = 9


class Played:
    """A game of one row and one output, with the interface that `RowBlock` uses."""

    def __init__(self, value):
        self.value = value

    def values(self, rows, coalitions):
        empty = self.value(np.zeros((1, coalitions.shape[1]), bool))
        return (self.value(coalitions) - empty)[None, :, None]


def estimated(design, value):
    """Return values and standard errors, (P,), as the explainers compute them from a design."""
    block = RowBlock([0], np.arange(1), np.inf)
    block.evaluate(Played(value), design)
    return block.values[0, 0], block.errors[0, 0]


def new_design(seed, budget=80, n_players=N_PLAYERS):
    return _design._make_design.__wrapped__(n_players, budget, seed)


def left_out(design):
    """Return, for each block, the coalitions that its estimate does not use."""
    return np.array([(np.abs(estimate) < 1e-12).all(axis=0) for estimate, _ in design.blocks])


def least_squares(coalitions, values, full):
    """Return the values by the definition of KernelSHAP: weights by size, with the last player eliminated to fix the sum."""
    n_players, size = coalitions.shape[1], coalitions.sum(axis=1)
    mass = (n_players - 1) / (size * (n_players - size))
    root = np.sqrt(mass / np.bincount(size)[size])
    columns = coalitions[:, :-1].astype(float) - coalitions[:, -1:]
    target = values - coalitions[:, -1] * full
    first = np.linalg.lstsq(columns * root[:, None], target * root, rcond=None)[0]
    return np.append(first, full - first.sum())


def test_every_sampled_pair_is_left_out_once():
    design = new_design(0)
    out = left_out(design)
    size = design.coalitions.sum(axis=1)
    n_all = {s: len(design.coalitions[size == s]) for s in range(1, N_PLAYERS)}
    sampled = np.isin(size, [s for s, n in n_all.items() if n < {1: 9, 2: 36, 3: 84, 4: 126}[min(s, N_PLAYERS - s)]])
    assert np.array_equal(out.sum(axis=0), sampled)
    half = len(out.T) // 2
    assert np.array_equal(design.coalitions[:half], ~design.coalitions[half:])
    assert np.array_equal(out[:, :half], out[:, half:]), "a coalition and its complement stay together"
    assert np.ptp(out.sum(axis=1)) <= 2, "blocks are alike"


@pytest.mark.parametrize("seed", range(4))
def test_errors_are_the_spread_of_fits_without_each_block(seed, monkeypatch):
    monkeypatch.setattr(_design, "MOST_FITTED", 0)  # without the control variate this is a plain least squares fit
    value = random_game(N_PLAYERS, seed, order=5)
    design = new_design(seed)
    empty, full = value(np.zeros((1, N_PLAYERS), bool))[0], value(np.ones((1, N_PLAYERS), bool))[0]
    known = value(design.coalitions) - empty
    whole = least_squares(design.coalitions, known, full - empty)
    refits = np.array([least_squares(design.coalitions[~out], known[~out], full - empty) for out in left_out(design)])
    n = len(refits)
    of_blocks = n * whole - (n - 1) * refits  # what each block says by itself: their mean is about the whole
    values, errors = estimated(design, value)
    np.testing.assert_allclose(values, whole, atol=1e-10)
    np.testing.assert_allclose(errors, design.inflation * of_blocks.std(axis=0, ddof=1) / np.sqrt(n), rtol=1e-8)
    assert design.inflation > 1.0


@pytest.mark.parametrize("seed", range(4))
def test_a_block_is_left_out_as_if_it_had_not_been_drawn(seed):
    design = new_design(seed)
    half = len(design.coalitions) // 2
    for (estimate, share), out in zip(design.blocks, left_out(design)[:, :half], strict=True):
        kept = design.coalitions[:half][~out]
        size = kept.sum(axis=1)
        mass = (N_PLAYERS - 1) / (size * (N_PLAYERS - size))
        regression = _design._regression(kept, mass / np.bincount(size)[size])
        again, share_again = _design._adjusted(*regression, np.zeros(len(kept), bool), ThirdOrderFit(kept))
        np.testing.assert_allclose(estimate[:, np.tile(~out, 2)], again, atol=1e-7)
        np.testing.assert_allclose(share, share_again, atol=1e-7)


@pytest.mark.parametrize("budget", [60, 250])
def test_errors_cover_the_values_of_random_games(budget):
    """The expected coverage is 91 %: that of 1.96 standard errors of a normal mean of eight blocks."""
    gaps, errors = [], []
    for number in range(6):
        value = random_game(10, number, order=5)
        truth = by_definition(value, 10)
        for seed in range(10):
            values, error = estimated(new_design(seed, budget, 10), value)
            gaps.append(values - truth)
            errors.append(error)
    gaps, errors = np.abs(gaps), np.array(errors)
    assert np.mean(gaps < 1.96 * errors) > 0.84
    assert 0.3 < np.sqrt(np.mean(gaps**2) / np.mean(errors**2)) < 1.5


@pytest.mark.parametrize(
    ("n_players", "times"), [(20, 4), (20, 12), (40, 4), pytest.param(40, 12, marks=pytest.mark.slow)]
)
def test_errors_cover_the_values_of_a_machine(n_players, times):
    """The coverage is nearly that of 1.96 standard errors of a mean of eight blocks, which is 91 %."""
    rng = np.random.default_rng(n_players)
    table = rng.normal(size=(300, n_players))
    target = table[:, 0] * table[:, 1] + np.sin(2 * table[:, 2]) + table[:, 3:8].sum(axis=1) ** 2 / 5
    machine = SVR(gamma=1.5 / n_players).fit(table, target)
    truth = TabularExplainer(machine, table[:20], progress=False).explain_local(table[30:50]).local_importance_values
    within = []
    for seed in range(3):
        sampling = SamplingOptions(nsamples=times * n_players)
        explainer = KernelExplainer(machine.predict, table[:20], sampling=sampling, random_state=seed, progress=False)
        explained = explainer.explain_local(table[30:50])
        within.append(np.abs(explained.local_importance_values - truth) < 1.96 * explained.standard_errors)
    assert np.mean(within) > 0.84
