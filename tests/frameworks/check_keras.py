"""Keras models on the backend of this process, which `test_frameworks.py` starts for each backend."""

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from automl_explain import (
    DeepExplainer,
    ExternalModelError,
    InvalidInputError,
    NotFittedError,
    SamplingOptions,
    TabularExplainer,
    describe,
    explain_model,
    load,
    retrieve_model_explanation,
    save,
    scoring_explainer,
)
from automl_explain.explainers.neural._network import Network
from automl_explain.integrations.optuna import TrialExplainer
from tests.frameworks.image_checks import N_CLASSES, SIZE, check_images
from tests.frameworks.keras_models import FAMILIES, flat, made, outputs_of, part_of, real
from tests.oracles import model_game, shapley_values

BACKEND = keras.backend.backend()
FEW = SamplingOptions(nsamples=400, background_size=8)


@pytest.fixture(autouse=True)
def repeatable():
    keras.utils.set_random_seed(0)


def total(explanation):
    values = explanation.local_importance_values
    values = values[None] if values.ndim == 2 else values
    return (values.sum(axis=2) + np.reshape(explanation.expected_values, (-1, 1))).T


def columns(outputs, explanation):
    return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 and explanation.classes else outputs


@pytest.mark.parametrize("method", ["coalitions", "path"])
@pytest.mark.parametrize("name", FAMILIES)
def test_values_add_up_to_the_outputs_of_keras(name, method):
    model, examples = made(name)
    background, rows = part_of(examples, slice(16)), part_of(examples, slice(16, 18))
    if method == "path" and name == "embedding and numbers":
        pytest.skip("whole numbers have no gradient")
    explanation = DeepExplainer(model, background, method=method, sampling=FEW).explain_local(rows)
    known = columns(outputs_of(model, rows), explanation)
    np.testing.assert_allclose(total(explanation), known, atol=1e-5 * np.ptp(known))
    assert f"Keras network on {BACKEND}" in explanation.reason or BACKEND == "torch"


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # get_weights of Keras on PyTorch
@pytest.mark.parametrize("name", ["Conv and MaxPool", "embedding and numbers"])
def test_a_bundle_takes_the_model_and_refuses_one_with_another_weight(name, tmp_path):
    model, examples = made(name)
    background, rows = part_of(examples, slice(8)), part_of(examples, slice(8, 10))
    explainer = DeepExplainer(model, background, sampling=FEW)
    place = save(scoring_explainer(explainer), tmp_path / "bundle", model="external")
    again = keras.models.clone_model(model)
    again.set_weights(model.get_weights())
    found, wanted = load(place, model=again).explain_local(rows), explainer.explain_local(rows)
    np.testing.assert_allclose(found.local_importance_values, wanted.local_importance_values, rtol=0, atol=1e-12)
    assert found.input_shapes == wanted.input_shapes
    first, *others = model.get_weights()
    again.set_weights([first + 1e-4, *others])
    with pytest.raises(ExternalModelError, match="its weights differ"):
        load(place, model=again)


def test_values_are_shapley_values_in_probability_and_log_odds():
    Z = real(4)
    model = flat(layers.Activation("tanh"), n_inputs=4, last=layers.Dense(3, activation="softmax"))
    scores = keras.Model(model.inputs[0], model.layers[-1].input)
    kernel, bias = (np.asarray(keras.ops.convert_to_numpy(part), np.float64) for part in model.layers[-1].weights)
    games = {
        "probability": lambda rows: outputs_of(model, rows.astype(np.float32)),
        "log_odds": lambda rows: outputs_of(scores, rows.astype(np.float32)) @ kernel + bias,
    }
    for space, outputs in games.items():
        explanation = DeepExplainer(model, Z[:8], output=space).explain_local(Z[10:12])
        assert explanation.output_space == space
        for row in range(2):
            known = shapley_values(model_game(outputs, Z[10 + row : 11 + row], Z[:8]), 4)
            np.testing.assert_allclose(explanation.local_importance_values[:, row], known, atol=3e-6)


@pytest.mark.parametrize(
    "last",
    [
        lambda: [layers.Dense(3), layers.Softmax()],
        lambda: [layers.Dense(3), layers.Activation("softmax")],
        lambda: [layers.Dense(1, activation="sigmoid")],
        lambda: [layers.Dense(3, activation="sigmoid", use_bias=False)],
    ],
)
def test_log_odds_are_the_scores_before_the_last_function(last):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, activation="relu"), *last()])
    described, Z = describe(model, real(4)), real(4)
    scores, found = described.outputs["log_odds"](Z), described.outputs["probability"](Z)
    if "softmax" in str(model.layers[-1].get_config()).lower():
        odds = np.exp(scores)
        np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), found, atol=1e-6)
    else:
        np.testing.assert_allclose(1 / (1 + np.exp(-scores)), found, atol=1e-6)
    assert described.task == {1: "binary", 3: "multitarget"}.get(
        model.output_shape[1], "multiclass"
    ) or "softmax" in str(model.layers[-1].get_config())


def test_a_model_of_keras_in_explain_model_and_a_pipeline():
    table = pd.DataFrame(real(4) * 50 + 10, columns=["age", "height", "weight", "dose"])
    model = flat(layers.Activation("relu"), n_inputs=4, last=layers.Dense(2, activation="softmax"))
    found = explain_model(make_pipeline(StandardScaler().fit(table), model), table.iloc[:16], table.iloc[16:])
    assert tuple(found.explanation.features) == ("age", "height", "weight", "dose")
    assert len(found.shap_values) == 2
    assert found.additivity_error < 1e-6


def test_segments_and_pixels_of_images():
    last = (layers.GlobalAveragePooling2D(), layers.Dense(N_CLASSES, activation="softmax"))
    model = keras.Sequential([keras.Input((*SIZE, 3)), layers.Conv2D(5, 3, activation="tanh"), *last])
    check_images(model, lambda images: outputs_of(model, images.astype(np.float32)))


def test_tabular_explainer_reads_the_network():
    model, examples = made("MLP with batch statistics")
    assert isinstance(describe(model, examples).structure, Network)
    explanation = TabularExplainer(model, examples[:16]).explain_local(examples[16:18])
    assert explanation.method == "coalitions"


def test_inputs_have_the_names_of_the_model():
    model, examples = made("embedding and numbers")
    options = {"sampling": FEW}
    by_name = DeepExplainer(model, part_of(examples, slice(8)), **options).explain_local(
        part_of(examples, slice(8, 10))
    )
    assert by_name.features[0] == "words[0]"
    assert by_name.features[-1] == "numbers[1]"
    other_way = {key: examples[key] for key in ("numbers", "words")}
    swapped = DeepExplainer(model, part_of(other_way, slice(8)), **options).explain_local(
        part_of(other_way, slice(8, 10))
    )
    order = [swapped.features.index(name) for name in by_name.features]
    np.testing.assert_allclose(swapped.local_importance_values[..., order], by_name.local_importance_values, atol=1e-6)
    in_order = [examples["words"], examples["numbers"]]
    listed = DeepExplainer(model, [part[:8] for part in in_order], **options).explain_local(
        [part[8:10] for part in in_order]
    )
    np.testing.assert_allclose(listed.local_importance_values, by_name.local_importance_values, atol=1e-6)
    assert listed.features == by_name.features
    explained_by_name = DeepExplainer(model, [part[:8] for part in in_order], **options).explain_local(
        part_of(other_way, slice(8, 10))
    )
    np.testing.assert_allclose(explained_by_name.local_importance_values, by_name.local_importance_values, atol=1e-6)


@pytest.mark.skipif(BACKEND != "torch", reason="the rescale rule reads the operations of PyTorch")
@pytest.mark.parametrize(("name", "output"), [("Conv and MaxPool", "auto"), ("MLP with batch statistics", "log_odds")])
def test_the_rescale_rule_on_pytorch(name, output):
    model, examples = made(name)
    explainer = DeepExplainer(model, examples[:8], method="rescale", output=output)
    explanation = explainer.explain_local(examples[8:12])
    rows = examples[8:12]
    known = outputs_of(model, rows) if output == "auto" else describe(model, examples).outputs["log_odds"](rows)
    np.testing.assert_allclose(total(explanation), known, atol=1e-5 * np.ptp(known))


def test_players_are_time_steps():
    model, examples = made("LSTM")
    explanation = DeepExplainer(model, examples[:8], players=0).explain_local(examples[8:10])
    assert explanation.local_importance_values.shape[-1] == 5
    assert explanation.standard_errors is None


def test_a_model_of_a_class_of_its_own():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(5, activation="relu"), layers.Dense(2)

        def call(self, rows, training=False):
            return self.second(self.first(rows))

    model = Own()
    with pytest.raises(NotFittedError, match="no weights yet"):
        DeepExplainer(model, real(4))
    model(real(4))
    explanation = DeepExplainer(model, real(4)[:8]).explain_local(real(4)[8:10])
    np.testing.assert_allclose(total(explanation), outputs_of(model, real(4)[8:10]), atol=1e-5)


def test_an_embedding_of_real_numbers_has_no_gradient_and_says_so():
    model = keras.Sequential(
        [keras.Input((3,)), layers.Embedding(9, 3), layers.Flatten(), layers.Dense(2, activation="tanh")]
    )
    words = np.random.default_rng(0).integers(0, 9, (20, 3)).astype(float)
    explanation = DeepExplainer(model, words[:8]).explain_local(words[8:10])
    np.testing.assert_allclose(total(explanation), outputs_of(model, words[8:10]), atol=1e-5)
    with pytest.raises(Exception, match="whole numbers"):
        DeepExplainer(model, words[:8], method="path")


def test_weights_and_state_stay_as_they_were():
    model, examples = made("MLP with batch statistics")
    before = [np.copy(keras.ops.convert_to_numpy(variable.value)) for variable in model.variables]
    layers_before = [layer.name for layer in model.layers]
    DeepExplainer(model, examples[:8], method="path", output="log_odds").explain_local(examples[8:10])
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable.value), value)
    assert [layer.name for layer in model.layers] == layers_before
    assert model.trainable


def test_a_model_that_trains_on_is_explained_as_it_is():
    model = flat(layers.Activation("relu"), n_inputs=4, last=layers.Dense(3, activation="softmax"))
    described = describe(model, real(4))
    before = described.outputs["log_odds"](real(4))
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([2 * kernel, bias])
    np.testing.assert_allclose(described.predict(real(4)), outputs_of(model, real(4)), atol=1e-5)
    np.testing.assert_allclose(described.outputs["log_odds"](real(4)), 2 * before, atol=1e-5)


def test_a_keras_model_of_an_optuna_trial_is_explained_like_any_run(tmp_path):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()

    def objective(trial):
        model = flat(layers.Activation("relu"), n_inputs=4)
        with explainer.trial(trial) as capture:
            capture.capture(model, real(4)[16:])
        return 0.0

    with TrialExplainer(real(4)[:16], history=tmp_path) as explainer:
        study.optimize(objective, n_trials=1)
    found = retrieve_model_explanation(study.best_trial)
    assert found.explanation.method == "coalitions"


def test_random_outputs_are_refused():
    class Noise(layers.Layer):
        def __init__(self):
            super().__init__()
            self.seed_generator = keras.random.SeedGenerator(0)

        def call(self, rows):
            return rows + keras.random.normal(keras.ops.shape(rows), seed=self.seed_generator)

    model = keras.Sequential([keras.Input((4,)), Noise(), layers.Dense(2)])
    with pytest.raises(InvalidInputError, match="each time"):
        DeepExplainer(model, real(4))


def test_several_outputs_say_which_to_choose():
    rows = keras.Input((4,))
    both = {"one": layers.Dense(2)(rows), "two": layers.Dense(1)(rows)}
    with pytest.raises(InvalidInputError, match=r"\['one', 'two'\]"):
        DeepExplainer(keras.Model(rows, both), real(4))
    with pytest.raises(InvalidInputError, match=r"\[0, 1\]"):
        DeepExplainer(keras.Model(rows, list(both.values())), real(4))
    chosen = DeepExplainer(keras.Model(rows, both["two"]), real(4)[:8]).explain_local(real(4)[8:10])
    assert chosen.local_importance_values.shape == (2, 4)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (lambda: real(5), r"'n', 4\)"),
        (lambda: real(4, 2), r"'n', 4\)"),
        (lambda: [real(4), real(4)], "takes 1 inputs"),
        (lambda: np.full((5, 4), "a"), "convert string"),
    ],
)
def test_wrong_shapes_and_types_are_refused(examples, message):
    model = flat(layers.Activation("relu"), n_inputs=4)
    with pytest.raises(InvalidInputError, match=message):
        DeepExplainer(model, examples())


def test_wrong_names_of_inputs_are_refused():
    model, examples = made("embedding and numbers")
    with pytest.raises(InvalidInputError, match="'words', 'numbers'"):
        DeepExplainer(model, {"word": examples["words"], "numbers": examples["numbers"]})
    with pytest.raises(InvalidInputError, match="whole numbers"):
        DeepExplainer(model, examples, sampling=FEW).explain_local(
            {"words": examples["words"][:2] + 0.5, "numbers": examples["numbers"][:2]}
        )


def test_outputs_that_are_not_numbers_are_refused():
    model = flat(layers.Lambda(lambda values: keras.ops.log(values - 1e9)), n_inputs=4)
    with pytest.raises(InvalidInputError, match="NaN or infinite"):
        DeepExplainer(model, real(4)).explain_local(real(4)[:2])


def test_a_sequence_of_outputs_is_refused():
    model = keras.Sequential([keras.Input((5, 2)), layers.LSTM(3, return_sequences=True)])
    with pytest.raises(InvalidInputError, match="one row of numbers per example"):
        DeepExplainer(model, real(5, 2))


def test_an_unknown_device_is_refused():
    with pytest.raises(InvalidInputError, match="device"):
        DeepExplainer(flat(n_inputs=4), real(4), device="nonsense")
