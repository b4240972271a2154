from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._warm_up import warm_up
from automl_explain.explainers.coalitions import _tree_game_kernels as _cube_kernels
from automl_explain.explainers.compiled._arrays import LANES
from automl_explain.explainers.trees import _paths, _routing, _row_pieces, _tree_shap
from automl_explain.explainers.trees._predict import predict_leaves, predict_trees
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees._tree_shap import Interventional, PathDependent
from automl_explain.explainers.trees.interventional import _companions, _costs
from automl_explain.explainers.trees.interventional import _interactions as _pattern_interactions
from automl_explain.explainers.trees.interventional import _kernels as _interventional
from automl_explain.explainers.trees.interventional._costs import choose_tables
from automl_explain.explainers.trees.path_dependent import _cover_sums, _single_row
from automl_explain.explainers.trees.path_dependent import _interactions as _path_interactions
from automl_explain.explainers.trees.path_dependent import _kernels as _path_dependent
from automl_explain.explainers.trees.path_dependent import _walks as _path_walks
from automl_explain.explainers.trees.path_dependent._cover_sums import choose_cover_tables
from automl_explain.explainers.trees.patterns import _lookups, _pattern_tables, _table_kernels
from tests import oracles
from tests.explainers.trees.random_trees import Nodes, balanced, chain, random_rows, random_trees

IDENTITY = range(5)
SHARED = [2, 0, 2, 1, 0]
KINDS: dict[str, dict[str, Any]] = {
    "one output": {},
    "float32": {"float32": True},
    "scalar leaves": {"n_outputs": 3},
    "vector leaves": {"n_outputs": 3, "vector": True},
    "shallow": {"depth": 2},
    "deep": {"depth": 8, "n_trees": 2},
}


def relative_error(got: np.ndarray, expected: np.ndarray, trees: Trees) -> float:
    return float(np.abs(got - expected).max() / max(1.0, np.abs(trees.values).max()))


def ways(explainer: PathDependent | Interventional, X: np.ndarray) -> list[np.ndarray]:
    """Return the values of rows in a block, and of each row alone."""
    together = explainer.shap_values(np.resize(X, (LANES, X.shape[1])))[:, : len(X)]
    return [together, np.concatenate([explainer.shap_values(row[None]) for row in X], axis=1)]


@pytest.fixture(params=["tables", "walks", "both"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run with all leaves in tables, none, or only the narrow ones."""
    monkeypatch.setattr(_pattern_tables, "TABLE_BITS", {"tables": 12, "walks": -1, "both": 3}[request.param])
    return str(request.param)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_predictions_route_as_documented(seed: int, options: dict[str, Any]) -> None:
    trees, X = random_trees(seed, **options), random_rows(seed + 50, 60)
    expected = predict_trees(trees, X)
    np.testing.assert_allclose(expected, [oracles.predict(trees, row) for row in X], rtol=1e-14, atol=1e-14)
    assert (np.concatenate([predict_trees(trees, row[None]) for row in X]) == expected).all()
    assert (trees.left[predict_leaves(trees, X)] == -1).all()


@pytest.mark.parametrize("player", [IDENTITY, SHARED], ids=["columns", "shared players"])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_path_dependent_values_are_those_of_the_definition(seed: int, options: dict[str, Any], player: Any) -> None:
    trees, X = random_trees(seed, **options), random_rows(seed + 100, 3)
    explainer = PathDependent(trees, player)
    n_players = max(player) + 1
    expected = [oracles.shapley_values(oracles.path_dependent_game(trees, row, player), n_players) for row in X]
    for values in ways(explainer, X):
        assert relative_error(values, np.stack(expected, axis=1), trees) < 1e-10
    empty = oracles.path_dependent_game(trees, X[0], player)(frozenset())
    assert relative_error(explainer.base_values, empty, trees) < 1e-10


@pytest.mark.parametrize("player", [IDENTITY, SHARED], ids=["columns", "shared players"])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_interventional_values_are_those_of_the_definition(
    seed: int, options: dict[str, Any], player: Any, storage: str
) -> None:
    trees, X, background = random_trees(seed, **options), random_rows(seed + 100, 2), random_rows(seed + 200, 7)
    weights = np.random.default_rng(seed).uniform(size=7)
    explainer = Interventional(trees, background, weights, player)
    n_players = max(player) + 1
    games = [oracles.interventional_game(trees, row, background, player, weights) for row in X]
    expected = np.stack([oracles.shapley_values(game, n_players) for game in games], axis=1)
    for values in ways(explainer, X):
        assert relative_error(values, expected, trees) < 1e-10
    assert relative_error(explainer.base_values, games[0](frozenset()), trees) < 1e-10


@pytest.mark.parametrize("player", [IDENTITY, SHARED], ids=["columns", "shared players"])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_path_dependent_interactions_are_those_of_the_definition(
    seed: int, options: dict[str, Any], player: Any
) -> None:
    trees, X = random_trees(seed, **options), random_rows(seed + 100, 3)
    explainer = PathDependent(trees, player)
    games = [oracles.path_dependent_game(trees, row, player) for row in X]
    expected = np.stack([oracles.interaction_values(game, max(player) + 1) for game in games], axis=1)
    got = explainer.interaction_values(X)
    assert relative_error(got, expected, trees) < 1e-10
    np.testing.assert_allclose(got.sum(axis=3), explainer.shap_values(X), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("player", [IDENTITY, SHARED], ids=["columns", "shared players"])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_interventional_interactions_are_those_of_the_definition(
    options: dict[str, Any], player: Any, storage: str
) -> None:
    trees, X, background = random_trees(0, **options), random_rows(100, 2), random_rows(200, 7)
    weights = np.random.default_rng(0).uniform(size=7)
    explainer = Interventional(trees, background, weights, player)
    games = [oracles.interventional_game(trees, row, background, player, weights) for row in X]
    expected = np.stack([oracles.interaction_values(game, max(player) + 1) for game in games], axis=1)
    got = explainer.interaction_values(X)
    assert relative_error(got, expected, trees) < 1e-10
    np.testing.assert_allclose(got.sum(axis=3), explainer.shap_values(X), rtol=1e-10, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31), n_features=st.integers(1, 9), n_trees=st.integers(0, 6), depth=st.integers(0, 10),
    n_outputs=st.integers(1, 3), vector=st.booleans(), float32=st.booleans(), n=st.integers(0, 40),
)  # fmt: skip
def test_values_add_up_to_the_prediction(
    seed: int, n_features: int, n_trees: int, depth: int, n_outputs: int, vector: bool, float32: bool, n: int
) -> None:
    trees = random_trees(seed, n_features, n_trees, depth, n_outputs, vector, float32=float32)
    X, background = random_rows(seed, n, n_features), random_rows(seed + 1, 11, n_features)
    for explainer in (PathDependent(trees), Interventional(trees, background)):
        values = explainer.shap_values(X)
        assert values.shape == (n_outputs, n, n_features)
        total = values.sum(axis=2).T + explainer.base_values
        np.testing.assert_allclose(total, predict_trees(trees, X), rtol=1e-9, atol=1e-9)


def explainers(trees: Trees, background: np.ndarray) -> list[PathDependent | Interventional]:
    return [PathDependent(trees), Interventional(trees, background)]


def test_a_player_that_no_tree_asks_for_gets_nothing_and_a_tree_twice_gives_twice() -> None:
    trees, X, background = random_trees(3), random_rows(4, 20, 6), random_rows(5, 9, 6)
    wide = Trees(**(vars(trees) | {"n_features": 6}))
    for explainer in explainers(wide, background):
        assert (explainer.shap_values(X)[:, :, 5] == 0).all()
    doubled = Trees(**(vars(wide) | {"values": 2 * wide.values}))
    for one, two in zip(explainers(wide, background), explainers(doubled, background), strict=True):
        np.testing.assert_allclose(two.shap_values(X), 2 * one.shap_values(X), rtol=1e-12, atol=1e-13)


def test_background_weights_are_repeated_rows(storage: str) -> None:
    trees, X, background = random_trees(8), random_rows(9, 10), random_rows(10, 4)
    counts = np.array([3, 1, 0, 2])
    weighted = Interventional(trees, background, counts)
    repeated = Interventional(trees, np.repeat(background, counts, axis=0))
    np.testing.assert_allclose(weighted.shap_values(X), repeated.shap_values(X), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(weighted.base_values, repeated.base_values, rtol=1e-12)


def test_results_do_not_depend_on_chunks_or_threads(storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trees, X = random_trees(11, n_outputs=2, n_trees=9), random_rows(12, 333)
    for explainer in explainers(trees, random_rows(13, 20)):
        expected = explainer.shap_values(X, n_jobs=1)
        for rows in (1, 48, 160, 333):
            monkeypatch.setattr(_row_pieces, "CHUNK_ROWS", rows)
            for n_jobs in (1, 2, 3):
                assert (explainer.shap_values(X, n_jobs=n_jobs) == expected).all()
        np.testing.assert_allclose(explainer.shap_values(X[17:18]), expected[:, 17:18], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("vector", [False, True], ids=["scalar leaves", "vector leaves"])
@pytest.mark.parametrize("n_features", [16, 17, 60])
def test_tables_and_walks_agree_for_any_number_of_players(
    n_features: int, vector: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = random_trees(21, n_features, n_trees=6, depth=7, n_outputs=2, vector=vector)
    X, background = random_rows(22, 40, n_features), random_rows(23, 70, n_features)
    results = []
    for bits in (12, 6, -1):
        monkeypatch.setattr(_pattern_tables, "TABLE_BITS", bits)
        explainer = Interventional(trees, background)
        results.append((explainer.shap_values(X), explainer.interaction_values(X[:5])))
    for values, interactions in results[1:]:
        np.testing.assert_allclose(values, results[0][0], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(interactions, results[0][1], rtol=1e-10, atol=1e-12)


def test_values_do_not_depend_on_the_number_of_rows_expected() -> None:
    trees = random_trees(24, 20, n_trees=6, depth=7, n_outputs=2, vector=True)
    X, background = random_rows(25, 40, 20), random_rows(26, 130, 20)
    expected = [explainer.shap_values(X) for explainer in explainers(trees, background)]
    for n_rows in (0, 1, 20, 200, 100_000):
        found = PathDependent(trees, n_rows=n_rows), Interventional(trees, background, n_rows=n_rows)
        for explainer, values in zip(found, expected, strict=True):
            np.testing.assert_allclose(explainer.shap_values(X), values, rtol=1e-10, atol=1e-12)


def test_trees_are_given_path_dependent_tables_for_many_rows_and_walked_for_few() -> None:
    paths = _paths.read_paths(random_trees(27, 20, n_trees=6, depth=6).for_kernels())
    assert [choose_cover_tables(paths, n, 1).most_bits > 0 for n in (0, 1, 100_000, None)] == [False, False, True, True]


@pytest.mark.parametrize("cover", [1e-300, 1e-9, 1.0])
def test_path_dependent_tables_are_exact_where_nearly_all_training_rows_went_one_way(cover: float) -> None:
    trees = random_trees(28, 6, n_trees=3, depth=6)
    covers = np.where(np.arange(len(trees.left)) % 3 == 1, cover, trees.cover)
    for node in np.flatnonzero(trees.left >= 0)[::-1]:
        covers[node] = covers[trees.left[node]] + covers[trees.right[node]]
    X, trees = random_rows(29, 5, 6), Trees(**(vars(trees) | {"cover": covers}))
    games = [oracles.path_dependent_game(trees, row, range(6)) for row in X]
    expected = np.stack([oracles.shapley_values(game, 6) for game in games], axis=1)
    for n_rows in (1, None):
        for values in ways(PathDependent(trees, n_rows=n_rows), X):
            assert relative_error(values, expected, trees) < 1e-10


def test_wide_leaves_get_tables_for_more_rows_and_larger_backgrounds() -> None:
    paths = _paths.read_paths(random_trees(27, 20, n_trees=6, depth=8).for_kernels())
    chosen = [[choose_tables(paths, n, b, 1).most_bits for n in (0, 3, 30, 300, 3000, None)] for b in (5, 50, 500)]
    assert (np.diff(chosen, axis=1) >= 0).all()
    assert (np.diff(chosen, axis=0) >= 0).all()
    assert [row[0] for row in chosen] == [0, 0, 0]
    assert [row[-1] for row in chosen] == [int(paths.width.max())] * 3


def test_results_do_not_depend_on_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    trees, X, background = random_trees(31, depth=7), random_rows(32, 40), random_rows(33, 70)

    def everything() -> list[np.ndarray]:
        values = [explainer.shap_values(X) for explainer in explainers(trees, background)]
        return values + [explainer.interaction_values(X) for explainer in explainers(trees, background)]

    expected = everything()
    for module, name, size in (
        (_companions, "PATTERN_ENTRIES", 1), (_companions, "PORTION_BYTES", 1), (_path_walks, "SLAB_BYTES", 1),
        (_tree_shap, "KEPT_BYTES", -1), (_row_pieces, "CHUNK_BYTES", 1), (_cover_sums, "SUMS_AT_ONCE", 1),
        (_pattern_tables, "TABLE_BYTES", 20_000), (_cover_sums, "TREE_BYTES", 20_000), (_cover_sums, "TREE_BYTES", 0),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, size)
        for got, want in zip(everything(), expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-13)


def test_arrays_of_other_layouts_and_types_are_read_alike() -> None:
    trees, X = random_trees(43, n_outputs=3, vector=True), random_rows(44, 10)
    arrays = {name: value for name, value in vars(trees).items() if isinstance(value, np.ndarray)}
    changed = {
        name: value.astype(np.int64) if value.dtype == np.int32 else value.copy() for name, value in arrays.items()
    }
    changed["values"] = np.asfortranarray(trees.values)
    for array in changed.values():
        array.flags.writeable = False
    frozen = X.copy()
    frozen.flags.writeable = False
    other = Trees(**(vars(trees) | changed))
    assert (predict_trees(other, frozen) == predict_trees(trees, X)).all()
    for a, b in zip(explainers(trees, X), explainers(other, frozen), strict=True):
        assert (a.shap_values(X) == b.shap_values(frozen)).all()


def test_explainers_can_be_pickled() -> None:
    trees, X = random_trees(41), random_rows(42, 10)
    for explainer in explainers(trees, X):
        expected = explainer.shap_values(X)
        assert (pickle.loads(pickle.dumps(explainer)).shap_values(X) == expected).all()


def test_progress_counts_every_row() -> None:
    done: list[int] = []
    PathDependent(random_trees(1)).shap_values(random_rows(1, 1100), progress=done.append, n_jobs=2)
    assert sum(done) == 1100


@pytest.mark.parametrize("n_features", [3, 40, 90])
def test_deep_chains_add_up(n_features: int) -> None:
    trees = chain(90, n_features)
    X, background = random_rows(1, 50, n_features), random_rows(2, 30, n_features)
    for explainer in explainers(trees, background):
        total = explainer.shap_values(X).sum(axis=2).T + explainer.base_values
        np.testing.assert_allclose(total, predict_trees(trees, X), rtol=1e-9, atol=1e-9)


def test_deep_chain_with_few_players_is_exact() -> None:
    trees, X, background = chain(70, 6), random_rows(1, 3, 6), random_rows(2, 5, 6)
    for explainer, make in zip(
        explainers(trees, background), (oracles.path_dependent_game, oracles.interventional_game), strict=True
    ):
        rest: list[Any] = [background] if make is oracles.interventional_game else []
        games = [make(trees, row, *rest, range(6)) for row in X]
        expected = np.stack([oracles.shapley_values(game, 6) for game in games], axis=1)
        assert relative_error(explainer.shap_values(X), expected, trees) < 1e-10


def test_trees_of_more_nodes_than_16_bits_can_count() -> None:
    trees = balanced(15, 12)
    assert len(trees.left) == 65535
    X, background = random_rows(1, 5, 12), random_rows(2, 8, 12)
    for explainer in explainers(trees, background):
        total = explainer.shap_values(X).sum(axis=2).T + explainer.base_values
        np.testing.assert_allclose(total, predict_trees(trees, X), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_trees", [0, 2])
def test_no_trees_and_trees_of_one_leaf(n_trees: int) -> None:
    trees, X = random_trees(1, depth=0, n_trees=n_trees), random_rows(1, 4)
    for explainer in explainers(trees, X):
        assert (explainer.shap_values(X) == 0).all()
        np.testing.assert_allclose(explainer.base_values, predict_trees(trees, X)[0])


def test_an_empty_table_has_no_values() -> None:
    for explainer in explainers(random_trees(1), random_rows(1, 4)):
        assert explainer.shap_values(np.empty((0, 5))).shape == (1, 0, 5)


def _values(trees: Trees) -> list[Callable[[Any], Any]]:
    explained = [explainer.shap_values for explainer in explainers(trees, np.zeros((2, 5)))]
    return [*explained, lambda X: predict_trees(trees, X), lambda X: Interventional(trees, X)]


@pytest.mark.parametrize("which", range(4))
def test_rows_that_cannot_be_used_are_refused(which: int) -> None:
    trees = random_trees(1, allows_missing=False)
    X = np.zeros((3, 5))
    X[1, 3] = np.nan
    with pytest.raises(InvalidInputError, match=r"no missing values.*column 3"):
        _values(trees)[which](X)
    with pytest.raises(InvalidInputError, match=r"5 columns.*\(3, 4\)"):
        _values(trees)[which](np.zeros((3, 4)))
    with pytest.raises(InvalidInputError, match="numeric matrix"):
        _values(trees)[which]([["a"] * 5])


def test_backgrounds_weights_players_and_threads_are_checked() -> None:
    trees, X = random_trees(1), np.zeros((3, 5))
    with pytest.raises(InvalidInputError, match="at least one row"):
        Interventional(trees, X[:0])
    for weights in ([1.0], [1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, np.nan, 1.0]):
        with pytest.raises(InvalidInputError, match="'weights'"):
            Interventional(trees, X, weights)
    for player in ([0, 1], [0, 1, 2, 3, -1], [0.0, 1.0, 2.0, 3.0, 4.0]):
        with pytest.raises(InvalidInputError, match="'player'"):
            PathDependent(trees, player)
    with pytest.raises(InvalidInputError, match="'n_jobs'"):
        PathDependent(trees).shap_values(X, n_jobs=0)


def test_covers_of_nothing_are_split_evenly() -> None:
    nodes = Nodes(roots=[0])
    nodes.add(left=1, right=2, feature=0, cover=0.0)
    nodes.add(cover=0.0, value=1.0)
    nodes.add(cover=0.0, value=3.0)
    explainer = PathDependent(nodes.build(1, [0.0], [0]))
    assert explainer.base_values == pytest.approx(2.0)
    assert explainer.shap_values([[-1.0], [1.0]])[0, :, 0] == pytest.approx([-1.0, 1.0])


def test_warming_up_compiles_every_kernel() -> None:
    warm_up(interactions=True)
    modules = (
        _costs,
        _cover_sums,
        _cube_kernels,
        _interventional,
        _lookups,
        _path_dependent,
        _path_interactions,
        _pattern_interactions,
        _single_row,
        _table_kernels,
    )
    for module in (*modules, _paths, _routing):
        kernels = [
            k for k in vars(module).values() if hasattr(k, "signatures") and k.py_func.__module__ == module.__name__
        ]
        for compiled in kernels:
            if compiled.targetoptions.get("inline") != "always":
                assert len(compiled.signatures) == 1, f"{compiled.py_func.__name__}: {len(compiled.signatures)}"
