"""TensorFlow without Keras: modules, functions, loaded models and functions of tensors."""

import numpy as np
import pytest
import tensorflow as tf

from automl_explain import DeepExplainer, InvalidInputError, UnsupportedModelError, describe, explain_model
from tests.frameworks.image_checks import IMAGES, N_CLASSES, check_images
from tests.oracles import model_game, shapley_values

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 4)).astype(np.float32)
W1, W2 = (RNG.normal(size=shape).astype(np.float32) for shape in ((4, 7), (7, 2)))


class Net(tf.Module):
    def __init__(self, *, noise=0.0):
        super().__init__()
        self.first, self.second, self.noise = tf.Variable(W1), tf.Variable(W2), noise

    def __call__(self, rows, training=True):
        made = tf.nn.gelu(rows @ self.first) @ self.second
        return made + self.noise * tf.random.normal(tf.shape(made)) if self.noise else made


def outputs_of(rows):
    return Net()(tf.constant(rows, tf.float32)).numpy().astype(np.float64)


def total(explanation):
    return (explanation.local_importance_values.sum(axis=2) + np.reshape(explanation.expected_values, (-1, 1))).T


NETWORKS = {
    "module": Net,
    "function": lambda: tf.function(Net().__call__),
    "function with a signature": lambda: tf.function(
        lambda rows: Net()(rows), input_signature=[tf.TensorSpec((None, 4))], autograph=False
    ),
}


@pytest.mark.parametrize("method", ["coalitions", "path"])
@pytest.mark.parametrize("name", ["module", "function"])
def test_values_add_up_to_the_outputs(name, method):
    explanation = DeepExplainer(NETWORKS[name](), X[:8], method=method).explain_local(X[20:])
    np.testing.assert_allclose(total(explanation), outputs_of(X[20:]), atol=1e-5)


def test_values_are_shapley_values():
    explanation = explain_model(Net(), X[:8], X[20:22]).explanation
    for row in range(2):
        known = shapley_values(model_game(outputs_of, X[20 + row : 21 + row], X[:8]), 4)
        np.testing.assert_allclose(explanation.local_importance_values[:, row], known, atol=1e-5)


def test_a_loaded_model_is_called_or_told_which_signatures_it_has(tmp_path):
    net = Net()
    net.serve = tf.function(lambda rows: {"scores": net(rows)}, input_signature=[tf.TensorSpec((None, 4), name="rows")])
    tf.saved_model.save(net, str(tmp_path), signatures={"serving_default": net.serve})
    loaded = tf.saved_model.load(str(tmp_path))
    with pytest.raises(UnsupportedModelError, match=r"\['serving_default'\]"):
        DeepExplainer(loaded, X)
    with pytest.raises(InvalidInputError, match=r"\['scores'\]"):
        DeepExplainer(loaded.signatures["serving_default"], {"rows": X})
    explanation = DeepExplainer(lambda rows: loaded.serve(rows)["scores"], tf.constant(X[:8])).explain_local(X[20:])
    np.testing.assert_allclose(total(explanation), outputs_of(X[20:]), atol=1e-5)


def test_functions_of_several_tensors_take_them_in_order_or_by_name():
    def function(left, right):
        return tf.tanh(left) @ W1[:, :2] + right @ W1[:, 2:4]

    listed = DeepExplainer(function, [tf.constant(X[:8]), tf.constant(-X[:8])]).explain_local([X[8:10], -X[8:10]])
    named = DeepExplainer(function, {"right": tf.constant(-X[:8]), "left": tf.constant(X[:8])}).explain_local(
        {"right": -X[8:10], "left": X[8:10]}
    )
    assert named.features[0] == "right[0]"
    np.testing.assert_allclose(
        named.local_importance_values[..., [*range(4, 8), *range(4)]], listed.local_importance_values, atol=1e-5
    )


def test_symbolic_graphs_are_refused():
    with tf.Graph().as_default():
        rows = tf.compat.v1.placeholder(tf.float32, (None, 4))
        made = tf.tanh(rows) @ W1
        session = tf.compat.v1.Session()
    for graph in (made, made.op, session):
        with pytest.raises(UnsupportedModelError, match="TensorFlow 1"):
            DeepExplainer(graph, X)
        with pytest.raises(UnsupportedModelError, match="TensorFlow 1"):
            describe(graph)
    with pytest.raises(UnsupportedModelError, match="no predict"):
        DeepExplainer((rows, made), X)
    with tf.Graph().as_default(), pytest.raises(UnsupportedModelError, match="eager execution"):
        DeepExplainer(Net(), X)
    session.close()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: Net(noise=0.5), "each time"),
        (lambda: tf.function(lambda rows: {"a": rows, "b": rows}), r"\['a', 'b'\]"),
        (lambda: tf.function(lambda rows: (rows, rows)), r"\[0, 1\]"),
        (lambda: tf.function(lambda rows: rows[:3]), "one row of numbers per example"),
        (lambda: tf.function(lambda rows: rows[:, None]), "one row of numbers per example"),
        (lambda: tf.function(lambda rows: rows @ W2), "cannot take the values"),
        (lambda: tf.function(lambda rows: tf.strings.as_string(rows)), "numbers"),
    ],
)
def test_networks_that_cannot_be_explained_are_refused(network, message):
    with pytest.raises(InvalidInputError, match=message):
        DeepExplainer(network(), X)


def test_outputs_that_are_not_finite_are_refused():
    with pytest.raises(InvalidInputError, match="NaN or infinite"):
        DeepExplainer(tf.function(lambda rows: tf.math.log(rows)), X).explain_local(X[:2])


def test_an_unknown_device_is_refused_and_the_cpu_is_taken():
    with pytest.raises(InvalidInputError, match="'device' parameter"):
        DeepExplainer(Net(), X, device="nonsense")
    DeepExplainer(Net(), X[:8], device="cpu").explain_local(X[:1])


def test_outputs_of_one_dimension_and_branches_on_data():
    @tf.function
    def branching(rows):
        total = tf.reduce_sum(rows, axis=1)
        return total if tf.reduce_max(rows) > 1e6 else tf.abs(total)

    explanation = DeepExplainer(branching, X[:8], method="path").explain_local(X[20:])
    known = np.abs(X[20:].sum(axis=1))
    np.testing.assert_allclose(
        explanation.local_importance_values.sum(axis=1) + explanation.expected_values, known, atol=1e-5
    )


def test_segments_and_pixels_of_images():
    weights = tf.constant(RNG.normal(size=(3, N_CLASSES)), tf.float32)

    def model(images):
        return tf.nn.softmax(tf.reduce_mean(tf.tanh(images[:, :10] * 2), axis=(1, 2)) @ weights * 3)

    check_images(
        model, lambda images: model(tf.constant(images, tf.float32)).numpy().astype(float), tf.constant(IMAGES)
    )
