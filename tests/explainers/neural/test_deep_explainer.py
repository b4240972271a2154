"""`DeepExplainer` over families of networks: its values add up, are those of the definition, and say what they are worth."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from automl_explain import (
    AdditivityError,
    DeepExplainer,
    Explanation,
    InvalidInputError,
    SamplingOptions,
    TabularExplainer,
    UnsupportedModelError,
    explain_model,
)
from automl_explain.explainers.methods.neural._gradients import PathEngine, RescaleEngine
from tests.networks import FAMILIES, Net, make
from tests.oracles import shapley_values

ALONG = {"Embedding": "whole numbers"}
"""Families without gradients -> the reason."""
NOT_RESCALED = {
    "softmax": "softmax",
    "LayerNorm": "layer_norm",
    "GRU": "gru",
    "LSTM": "lstm",
    "transformer": "attention",
}
"""Families with an operation that the rescale rule has no form for -> the operation."""
FEW = SamplingOptions(nsamples=400, background_size=6)


def parts(arrays, rows):
    taken = [array[rows] for array in arrays]
    return taken[0] if len(taken) == 1 else taken


def outputs(module, arrays):
    with torch.no_grad():
        return module(*map(torch.as_tensor, arrays)).double().numpy()


def explained(name, method, **options):
    module, arrays = make(name)
    explainer = DeepExplainer(module, parts(arrays, slice(0, 12)), method=method, sampling=FEW, **options)
    return explainer.explain_local(parts(arrays, slice(20, 23))), outputs(module, [array[20:23] for array in arrays])


def check_sums(explanation, wanted):
    total = explanation.local_importance_values.sum(axis=-1)
    total = (total.T if explanation.classes else total[:, None]) + explanation.expected_values
    assert np.abs(total - wanted).max() <= 1e-5 * np.ptp(wanted)


@pytest.mark.parametrize("name", FAMILIES)
def test_coalitions_add_up(name):
    check_sums(*explained(name, "coalitions"))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_path_adds_up_and_gives_the_gap_of_the_gradients(name):
    if name in ALONG:
        with pytest.raises(UnsupportedModelError, match=ALONG[name]):
            explained(name, "path")
        return
    explanation, wanted = explained(name, "path")
    check_sums(explanation, wanted)
    assert 0 < explanation.coalition_r2 <= 1
    assert any("the gradients missed" in note for note in explanation.notes)
    assert any(note.startswith("approximate") for note in explanation.notes)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_rescale_rule_adds_up_or_names_the_operation(name):
    if name in NOT_RESCALED:
        with pytest.raises(UnsupportedModelError, match=NOT_RESCALED[name]):
            explained(name, "rescale")
        return
    explanation, wanted = explained(name, "rescale")
    check_sums(explanation, wanted)
    assert explanation.coalition_r2 <= 1


def test_log_odds_are_those_before_the_softmax():
    explanation, wanted = explained("softmax", "rescale", output="log_odds")
    total = explanation.local_importance_values.sum(axis=-1).T + explanation.expected_values
    shifted = total - total.mean(axis=1, keepdims=True)
    log = np.log(wanted)
    np.testing.assert_allclose(shifted, log - log.mean(axis=1, keepdims=True), atol=1e-5)


def game_of(module, arrays, row, n_background, of_cell):
    """The game of the definition in the players' numbers, computed without any code of the package."""
    backgrounds = [array[:n_background] for array in arrays]
    sizes = [int(np.prod(array.shape[1:])) for array in arrays]

    def game(present):
        keep = np.isin(of_cell, list(present))
        mixed, start = [], 0
        for array, background, size in zip(arrays, backgrounds, sizes, strict=True):
            mask = keep[start : start + size].reshape(background.shape[1:])
            mixed.append(np.where(mask, array[row], background))
            start += size
        return outputs(module, mixed).mean(axis=0)

    return game


GROUPS = {
    "GRU": (0, np.repeat(np.arange(6), 2), "x[2, :]"),
    "transformer": (-1, np.tile(np.arange(2), 6), "x[:, 1]"),
    "Embedding": (None, np.arange(6), None),
    "Conv + MaxPool": (np.arange(64).reshape(1, 8, 8) // 16, np.arange(64) // 16, "player 3"),
    "several inputs": ([np.arange(3), np.array([[3], [4]])], np.array([0, 1, 2, 3, 3, 3, 4, 4, 4]), "player 4"),
    "GELU": ({"first": ["x0", "x1"], "last": [7]}, np.array([0, 0, 2, 3, 4, 5, 6, 1]), "x2"),
}
"""Family -> `players`, the player of each cell, and a name that players get."""


@pytest.mark.parametrize("name", GROUPS)
def test_coalitions_of_players_are_those_of_the_definition(name):
    players, of_cell, label = GROUPS[name]
    module, arrays = make(name)
    explainer = DeepExplainer(module, parts(arrays, slice(0, 5)), players=players)
    explanation = explainer.explain_local(parts(arrays, slice(20, 22)))
    n_players = int(of_cell.max()) + 1
    assert explanation.num_features == n_players
    assert label is None or label in explanation.features
    for row in range(2):
        wanted = shapley_values(game_of(module, arrays, 20 + row, 5, of_cell), n_players)
        np.testing.assert_allclose(explanation.local_importance_values[:, row], wanted, atol=2e-6)


def test_the_rescale_rule_of_one_pair_of_a_linear_network_is_exact():
    module = nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 2))
    rows = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
    found, exact = (
        DeepExplainer(module, rows[:5], method=method).explain_local(rows[5:]).local_importance_values
        for method in ("rescale", "coalitions")
    )
    np.testing.assert_allclose(found, exact, atol=1e-6)


def test_max_pooling_with_overlaps_and_padding_adds_up():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2)).eval()
    images = np.random.default_rng(0).normal(size=(9, 1, 8, 8)).astype(np.float32)
    explanation = DeepExplainer(module, images[:5], method="rescale").explain_local(images[5:])
    check_sums(explanation, outputs(module, [images[5:]]))


def test_many_players_are_explained_by_gradients_and_the_reason_says_so():
    module, arrays = make("Conv + MaxPool")
    wide = nn.Sequential(nn.Flatten(), nn.Linear(80, 4), nn.ReLU(), nn.Linear(4, 1))
    normed = nn.Sequential(nn.Flatten(), nn.Linear(80, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    rows = np.random.default_rng(0).normal(size=(12, 80)).astype(np.float32)
    assert DeepExplainer(module, arrays[0][:5]).method == "coalitions"
    assert DeepExplainer(wide, rows[:5]).method == "rescale"
    along = DeepExplainer(normed, rows[:5])
    assert (along.method, "layer_norm" in along.reason, "more than 64 players" in along.reason) == ("path", True, True)
    assert DeepExplainer(normed, rows[:5], players=np.arange(80) // 2).method == "coalitions"
    assert TabularExplainer(normed, rows[:5]).method == "path"


@pytest.mark.falls_back
@pytest.mark.parametrize("engine", [RescaleEngine, PathEngine])
def test_gradients_that_fail_leave_an_explanation_from_predictions(engine, monkeypatch):
    between = nn.ReLU() if engine is RescaleEngine else nn.LayerNorm(4)
    rows = np.random.default_rng(0).normal(size=(9, 70)).astype(np.float32)
    module = nn.Sequential(nn.Linear(70, 4), between, nn.Linear(4, 1))
    explainer = TabularExplainer(module, rows[:3], sampling=SamplingOptions(nsamples=300))
    assert isinstance(explainer._engine, engine)

    def fails(*given):
        raise RuntimeError("injected")

    monkeypatch.setattr(engine, "attribute", fails)
    explanation = explainer.explain_local(rows[3:])
    assert any("injected" in note and "explained from predictions" in note for note in explanation.notes)
    check_sums(explanation, outputs(module, [rows[3:]]))


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(80, 2)

    def forward(self, x):
        return self.layer(x) if x.abs().max() > 100 else self.layer(x.tanh())


def test_branches_that_depend_on_the_data(capfd):
    rows = np.random.default_rng(0).normal(size=(12, 80)).astype(np.float32)
    with pytest.raises(UnsupportedModelError, match="a branch that depends on the data"):
        DeepExplainer(Branching(), rows, method="rescale")
    explainer = DeepExplainer(Branching(), rows[:5])
    assert explainer.method == "path"
    explainer.explain_local(rows[5:7])
    assert capfd.readouterr() == ("", "")


def test_gradients_that_say_nothing_are_refused():
    module = Net(lambda net, x: (net.a(x) * 5).round() + 1e-6 * net.a(x), a=nn.Linear(8, 2))
    rows = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
    with pytest.raises(AdditivityError, match="64 intervals miss its outputs"):
        DeepExplainer(module, rows[:5], method="path").explain_local(rows[5:])


def test_values_keep_the_shape_of_the_inputs_also_in_files(tmp_path):
    explanation, _ = explained("several inputs", "coalitions")
    explanation.save(tmp_path / "explanation")
    for each in (explanation, Explanation.load(tmp_path / "explanation")):
        flat = each.local_importance_values
        table, sequence = each.shaped_values()
        assert (table.shape, sequence.shape) == ((2, 3, 3), (2, 3, 2, 3))
        np.testing.assert_array_equal(np.concatenate([table, sequence.reshape(2, 3, 6)], axis=2), flat)
    assert explanation.features[:4] == ("input0[0]", "input0[1]", "input0[2]", "input1[0, 0]")
    assert explanation.select(features=[1]).input_shapes is None


def test_approximate_values_keep_their_fit_in_files(tmp_path):
    explanation, _ = explained("GELU", "path")
    explanation.save(tmp_path / "explanation")
    assert Explanation.load(tmp_path / "explanation").coalition_r2 == explanation.coalition_r2


def test_sums_over_all_rows_without_local_values():
    module, arrays = make("GRU")
    explainer = DeepExplainer(module, arrays[0][:5], players=0)
    whole = explainer.explain_global(arrays[0][5:15], include_local=False, batch_size=4)
    local = explainer.explain_global(arrays[0][5:15])
    np.testing.assert_allclose(whole.global_importance_values, local.global_importance_values, atol=1e-9)


@pytest.mark.parametrize("method", ["coalitions", "rescale", "path"])
def test_twice_the_same(method):
    first, second = (explained("GELU", method)[0].local_importance_values for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", ["coalitions", "rescale", "path"])
def test_any_batch_size_gives_the_same(method):
    first, second = (explained("GELU", method, batch_size=size)[0].local_importance_values for size in (1, 4096))
    np.testing.assert_allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("method", ["coalitions", "path"])
def test_weights_of_the_background_count_rows(method):
    module, arrays = make("GELU")
    rows, twice = arrays[0][:4], arrays[0][[0, 0, 1, 2, 3]]
    weighted = DeepExplainer(module, rows, method=method, weights=[2, 1, 1, 1]).explain_local(arrays[0][20:22])
    repeated = DeepExplainer(module, twice, method=method).explain_local(arrays[0][20:22])
    np.testing.assert_allclose(weighted.local_importance_values, repeated.local_importance_values, atol=1e-6)


def test_one_example_without_its_axis():
    module, arrays = make("GRU")
    explainer = DeepExplainer(module, arrays[0][:5])
    alone, first = explainer.explain_local(arrays[0][20]), explainer.explain_local(arrays[0][20:21])
    np.testing.assert_array_equal(alone.local_importance_values, first.local_importance_values)


def test_functions_of_tensors_choose_among_outputs():
    module, arrays = make("GELU")
    tensors = torch.as_tensor(arrays[0])
    chosen = DeepExplainer(lambda x: {"scores": module(x)}["scores"], tensors[:5], method="path")
    plain = DeepExplainer(module, tensors[:5], method="path")
    first, second = (each.explain_local(tensors[20:22]).local_importance_values for each in (chosen, plain))
    np.testing.assert_allclose(first, second, atol=1e-9)


def test_raw_columns_through_a_pipeline():
    table = pd.DataFrame(np.random.default_rng(0).normal(3, 2, (30, 8)), columns=list("abcdefgh"))
    module, _ = make("GELU")
    scaled = make_pipeline(StandardScaler().fit(table), module)
    explanation = DeepExplainer(scaled, table[:12], feature_space="raw").explain_local(table[20:])
    assert explanation.features == tuple("abcdefgh")
    rows = StandardScaler().fit(table).transform(table[20:]).astype(np.float32)
    check_sums(explanation, outputs(module, [rows]))


BAD = {
    "method": ({"method": "deeplift"}, "'method' parameter must be one of"),
    "device": ({"device": "gpu7"}, "'device' parameter must name a device"),
    "batch": ({"batch_size": 0}, "'batch_size' parameter must be"),
    "axis": ({"players": 3}, r"axes of an example, whose shape is \(6, 2\)"),
    "numbers": ({"players": np.array([0, 2])}, "No cell has 1"),
    "shape": ({"players": np.arange(5)}, r"shape of an example, \(6, 2\)"),
    "fractions": ({"players": np.ones(2)}, "an array with the number of the player"),
    "cell": ({"players": {"a": ["x[0, 7]"]}}, r"Did you mean 'x\[0, "),
    "twice": ({"players": {"a": [0], "b": [0]}}, "belongs to 'a' and 'b'"),
}


@pytest.mark.parametrize("name", BAD)
def test_parameters_that_cannot_be_used(name):
    options, words = BAD[name]
    module, arrays = make("GRU")
    with pytest.raises(InvalidInputError, match=words):
        DeepExplainer(module, arrays[0][:5], **options)


ROWS = {
    "another shape": (np.ones((2, 5, 2)), r"shape \(n, 6, 2\).*\(2, 5, 2\)"),
    "two inputs": ([np.ones((2, 6, 2)), np.ones((2, 6, 2))], "must have 1 inputs"),
    "text": (np.full((2, 6, 2), "a"), "must hold numbers"),
    "nothing": (np.ones((0, 6, 2)), "number n > 0"),
    "nan": (np.full((2, 6, 2), np.nan), "NaN"),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_that_do_not_match_the_background(name):
    rows, words = ROWS[name]
    module, arrays = make("GRU")
    explainer = DeepExplainer(module, arrays[0][:5])
    with pytest.raises(InvalidInputError, match=words):
        explainer.explain_local(rows)


def test_whole_numbers_out_of_range():
    module, arrays = make("Embedding")
    explainer = DeepExplainer(module, arrays[0][:5])
    with pytest.raises(InvalidInputError, match="IndexError|out of range"):
        explainer.explain_local(np.full((1, 6), 99))
    with pytest.raises(InvalidInputError, match="whole numbers"):
        explainer.explain_local(np.full((1, 6), 0.5))


def test_models_that_are_no_networks():
    from sklearn.linear_model import Ridge

    rows = np.random.default_rng(0).normal(size=(12, 8))
    with pytest.raises(UnsupportedModelError, match="explains neural networks. Got Ridge: Linear"):
        DeepExplainer(Ridge().fit(rows, rows[:, 0]), rows)
    with pytest.raises(UnsupportedModelError, match="pass tensors as the background"):
        DeepExplainer(lambda table: table[:, 0], rows)


@pytest.mark.parametrize("as_given", [np.asarray, torch.as_tensor], ids=["array", "tensor"])
def test_explain_model_takes_images_and_names_their_classes(as_given):
    module, arrays = make("Conv + MaxPool")
    net = nn.Sequential(module, nn.Softmax(1)).eval()
    images = arrays[0]
    labels = np.array(["cat", "dog", "owl"])[np.arange(len(images)) % 3]
    named = explain_model(net, as_given(images), as_given(images[20:22]), classes=["cat", "dog", "owl"])
    assert named.classes == ("cat", "dog", "owl")
    assert named.explanation.shaped_values()[0].shape == (3, 2, 1, 8, 8)
    assert explain_model(net, images, images[20:22], y_train=labels).classes == ("cat", "dog", "owl")
    with pytest.raises(UnsupportedModelError, match="leave out members=True"):
        explain_model(net, images, images, members=True)
    with pytest.raises(InvalidInputError, match="DeepExplainer explains networks"):
        TabularExplainer(net, images)


def test_functions_of_arrays_are_explained_by_coalitions():
    module, arrays = make("several inputs")
    background, rows = ([array[part] for array in arrays] for part in (slice(0, 5), slice(20, 22)))
    found, wanted = (
        DeepExplainer(model, background).explain_local(rows).local_importance_values
        for model in (lambda x, y: outputs(module, [x.astype(np.float32), y.astype(np.float32)]), module)
    )
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    with pytest.raises(UnsupportedModelError, match="a function of arrays has no gradients"):
        DeepExplainer(lambda x, y: x.sum(1), background, method="path")


def test_whole_numbers_that_come_as_floating_point_numbers_have_no_gradients():
    module = Net(lambda net, x: net.b(net.a(x.long()).flatten(1)), a=nn.Embedding(9, 4), b=nn.Linear(280, 2))
    rows = np.random.default_rng(0).integers(0, 9, (12, 70)).astype(np.float32)
    with pytest.raises(UnsupportedModelError, match="to whole numbers, which have no gradient"):
        DeepExplainer(module, rows, method="path")
    explanation = DeepExplainer(module, rows[:3], method="rescale").explain_local(rows[3:6])
    check_sums(explanation, outputs(module, [rows[3:6]]))


@pytest.mark.slow
def test_no_framework_is_imported_for_other_models():
    code = (
        "import sys, numpy as np; from automl_explain import DeepExplainer, explain_model; "
        "from sklearn.linear_model import Ridge; from sklearn.neural_network import MLPRegressor; "
        "X = np.random.default_rng(0).normal(size=(20, 3)); explain_model(Ridge().fit(X, X[:, 0]), X, X); "
        "DeepExplainer(MLPRegressor(hidden_layer_sizes=(3,)).fit(X, X[:, 0]), X).explain_local(X); "
        "print({'torch', 'tensorflow', 'keras', 'jax'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


class Converted(nn.Module):
    """Operations under their other names, and one whose result is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 2)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        centred = torch.divide(torch.subtract(rows.to(torch.float32), 1.0), 2.0)
        centred.exp().sum()
        return self.last(torch.multiply(torch.relu(centred), 3.0))


def test_the_rescale_rule_leaves_out_operations_that_the_output_does_not_need():
    torch.manual_seed(0)
    network, rows = Converted(), torch.randn(12, 3)
    explanation = DeepExplainer(network, rows[:8], method="rescale").explain_local(rows[8:])
    total = (explanation.local_importance_values.sum(axis=2) + explanation.expected_values[:, None]).T
    np.testing.assert_allclose(total, network(rows[8:]).detach().numpy(), atol=1e-6)


def test_inputs_are_taken_by_name_whatever_their_order():
    class Two(nn.Module):
        def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
            return left[:, :1] + torch.tanh(right[:, :1] * left[:, 1:])

    left, right = torch.linspace(-1, 1, 20).reshape(10, 2), torch.linspace(2, 0, 20).reshape(10, 2)
    explainer = DeepExplainer(Two(), {"left": left[:8], "right": right[:8]})
    in_order = explainer.explain_local({"left": left[8:], "right": right[8:]})
    swapped = explainer.explain_local({"right": right[8:], "left": left[8:]})
    np.testing.assert_array_equal(swapped.local_importance_values, in_order.local_importance_values)
    with pytest.raises(InvalidInputError, match="must have the inputs"):
        explainer.explain_local({"left": left[8:], "other": right[8:]})
