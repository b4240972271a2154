"""Linear surrogates: penalties chosen on held-out rows, and a warning if a surrogate is worse than a constant."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge

from automl_explain import (
    ExplainableModel,
    LGBMExplainableModel,
    LinearExplainableModel,
    MimicExplainer,
    SGDExplainableModel,
)
from automl_explain.explainers._errors import AutoMLExplainWarning
from automl_explain.explainers.surrogate._encoding import Standardized
from automl_explain.explainers.surrogate._explainable_model import TrainingRows
from automl_explain.explainers.surrogate._penalty import choose_penalty
from automl_explain.explainers.surrogate._ridge import solve_by_eigenvectors, solve_by_steps

LINEAR = [LinearExplainableModel, SGDExplainableModel]


def wide(n_rows=600, n_columns=3000, seed=0):
    rng = np.random.default_rng(seed)
    X = sparse.random(n_rows, n_columns, density=0.01, format="csr", random_state=seed)
    coef = rng.normal(size=n_columns)
    return X, lambda table: np.asarray(table @ coef)


def test_a_linear_teacher_of_wide_sparse_rows_is_imitated():
    X, teacher = wide()
    explainer = MimicExplainer(teacher, X, LinearExplainableModel)
    assert explainer.fidelity.r2 > 0.8
    assert "2520 rows drawn" in explainer.notes[1]
    # Without drawn rows, nothing can be learned of what is orthogonal to all 480 rows.
    assert 0 < MimicExplainer(teacher, X, LinearExplainableModel, augment_data=False).fidelity.r2 < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("density", [0.001, 0.003, 0.01])
def test_a_linear_teacher_of_3000_rows_and_20000_columns_is_imitated(density):
    X = sparse.random(3000, 20_000, density=density, format="csr", random_state=0)
    coef = np.random.default_rng(0).normal(size=20_000)
    assert MimicExplainer(lambda table: np.asarray(table @ coef), X, LinearExplainableModel).fidelity.r2 > 0.8


@pytest.mark.parametrize("surrogate", LINEAR)
def test_a_linear_teacher_of_a_wide_array_is_imitated(surrogate):
    X = np.random.default_rng(0).normal(size=(120, 200))
    coef = np.random.default_rng(1).normal(size=200)
    assert MimicExplainer(lambda rows: rows @ coef, X, surrogate).fidelity.r2 > 0.6


@pytest.mark.parametrize("surrogate", LINEAR)
def test_columns_of_one_small_cell_do_not_spoil_the_outputs_of_rows_with_a_large_one(surrogate):
    """They were scaled by that cell, and rows that were held out had cells of 1000 times the scale."""
    rng = np.random.default_rng(0)
    X = sparse.random(400, 3000, density=0.0005, format="csr", random_state=0)
    coef = rng.normal(size=3000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AutoMLExplainWarning)
        r2 = MimicExplainer(lambda table: np.asarray(table @ coef), X, surrogate, augment_data=False).fidelity.r2
    assert r2 > -0.05
    scaled = Standardized(X, {}).transform(X)
    assert abs(scaled).max() < 3


def test_with_enough_rows_a_linear_teacher_is_imitated_nearly_exactly():
    X = np.random.default_rng(0).normal(size=(500, 6))
    explainer = MimicExplainer(lambda table: np.asarray(table) @ np.arange(6.0), X, LinearExplainableModel)
    assert explainer.fidelity.r2 > 1 - 1e-6
    assert explainer.surrogate.alpha_ == LinearExplainableModel.path[-1]


def test_noise_is_imitated_by_a_constant():
    rng = np.random.default_rng(1)
    X, noise = rng.normal(size=(300, 100)), rng.normal(size=300)
    answers = {row.tobytes(): value for row, value in zip(X, noise, strict=True)}
    explainer = MimicExplainer(
        lambda rows: np.array([answers[row.tobytes()] for row in rows]), X, LinearExplainableModel
    )
    assert explainer.fidelity.r2 > -0.1
    assert explainer.surrogate.alpha_ >= 1000


def test_a_given_penalty_is_used():
    X = np.random.default_rng(0).normal(size=(50, 2))
    explainer = MimicExplainer(
        lambda rows: rows[:, 0], X, LinearExplainableModel, explainable_model_args={"alpha": 30.0}
    )
    assert explainer.surrogate.alpha_ == 30.0
    rows, held = X[np.sort(np.random.default_rng(0).permutation(50)[10:])], explainer.surrogate
    ridge = Ridge(alpha=30.0).fit((rows - rows.mean(axis=0)) / rows.std(axis=0), rows[:, 0])
    assert held.coef[0] == pytest.approx(ridge.coef_, abs=1e-9)


@pytest.mark.parametrize("solve", [solve_by_eigenvectors, solve_by_steps])
@pytest.mark.parametrize("shape", [(60, 8), (30, 45)])
@pytest.mark.parametrize("as_sparse", [False, True])
def test_solutions_are_those_of_ridge_regression(solve, shape, as_sparse):
    if as_sparse and solve is solve_by_eigenvectors:
        pytest.skip("solves dense rows only")
    rng = np.random.default_rng(0)
    X, outputs, weights = rng.normal(size=shape) + 3.0, rng.normal(size=(shape[0], 3)), rng.random(shape[0]) + 0.1
    X[rng.random(shape) < 0.5] = 0.0
    rows = sparse.csr_matrix(X) if as_sparse else X
    penalties = [100.0, 1.0, 0.01]
    exact = solve is solve_by_eigenvectors
    for penalty, (coef, intercept) in zip(penalties, solve(rows, outputs, weights, penalties), strict=True):
        ridge = Ridge(alpha=penalty, solver="cholesky").fit(X, outputs, weights)
        size = np.abs(ridge.coef_).max()
        assert np.abs(coef - ridge.coef_).max() < (1e-9 if exact else 2e-2) * size
        assert intercept == pytest.approx(ridge.intercept_, abs=1e-9 if exact else 0.1)


def test_the_penalty_is_that_of_the_smallest_error_on_the_held_out_rows():
    rng = np.random.default_rng(3)
    X, outputs = rng.normal(size=(60, 40)), rng.normal(size=(60, 2))
    outputs += X[:, :2]
    order = np.random.default_rng(0).permutation(60)
    held, learn = np.sort(order[:12]), np.sort(order[12:])
    surrogate = LinearExplainableModel()
    used = surrogate.tune(X, outputs, {}, TrainingRows(learn, held, np.empty(0, dtype=np.intp)))
    assert sorted(used) == list(range(60))
    scaled = (X - X[learn].mean(axis=0)) / X[learn].std(axis=0)
    errors = [
        ((outputs[held] - Ridge(alpha=penalty).fit(scaled[learn], outputs[learn]).predict(scaled[held])) ** 2).sum()
        for penalty in surrogate.path
    ]
    assert surrogate.alpha_ == surrogate.path[int(np.argmin(errors))]


def test_penalties_after_two_larger_errors_are_not_tried():
    tried = []

    def attempts():
        for penalty, miss in ((100.0, 2.0), (10.0, 1.0), (1.0, 1.5), (0.1, 1.6), (0.01, 0.1)):
            tried.append(penalty)
            yield penalty, np.array([[miss]])

    choice = choose_penalty(attempts(), np.array([3.0]), lambda outputs: float((outputs**2).sum()))
    assert (choice.penalty, choice.error) == (10.0, 1.0)
    assert tried == [100.0, 10.0, 1.0, 0.1]
    assert choose_penalty([(1.0, np.array([2.0]))], np.array([1.0]), np.sum).penalty == float("inf")


@pytest.mark.parametrize("surrogate", LINEAR)
def test_rows_without_weight_do_not_count_in_the_choice(surrogate):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    weights = np.repeat([1.0, 0.0], 100)

    def teacher(rows):
        return np.where(np.arange(len(rows)) < 100, 1.0, np.nan_to_num(rows[:, 1] * 1e6)) * rows[:, 0]

    explainer = MimicExplainer(teacher, X, surrogate, weights=weights)
    coef = explainer.surrogate.coef[0] / X[:100].std(axis=0).mean()
    assert coef[0] == pytest.approx(1.0, abs=0.2)
    assert np.abs(coef[1:]).max() < 0.1


class Contrary(ExplainableModel):
    """Predicts the opposite of its teacher."""

    def fit(self, X, outputs, categories):
        self.mean = outputs.mean(axis=0)
        return self

    def predict(self, X):
        return self.mean - 5 * np.asarray(X)[:, :1]


def test_a_surrogate_worse_than_a_constant_warns_and_its_notes_say_so():
    X = np.random.default_rng(0).normal(size=(200, 3))
    with pytest.warns(AutoMLExplainWarning, match="Contrary imitates .* worse than a constant would .R2 -"):
        explainer = MimicExplainer(lambda rows: rows[:, 0], X, Contrary)
    assert "worse than a constant" in explainer.notes[0]
    assert "worse than a constant" in explainer.explain_local(X[:2]).notes[0]


@pytest.mark.parametrize("surrogate", [LGBMExplainableModel, LinearExplainableModel])
def test_a_good_surrogate_neither_warns_nor_notes_and_neither_does_a_constant_of_a_constant(surrogate):
    X = np.random.default_rng(0).normal(size=(200, 3))
    for teacher in (lambda rows: rows[:, 0], lambda rows: np.full(len(rows), 0.1)):
        explainer = MimicExplainer(teacher, X, surrogate)
        assert not any("worse" in note for note in explainer.notes)
