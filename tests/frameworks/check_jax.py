"""Functions of JAX arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from automl_explain import DeepExplainer, InvalidInputError
from tests.frameworks.image_checks import IMAGES, N_CLASSES, check_images
from tests.oracles import model_game, shapley_values

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 4)).astype(np.float32)
W1, W2 = (RNG.normal(size=shape).astype(np.float32) for shape in ((4, 7), (7, 2)))


def network(rows):
    return jnp.tanh(rows @ W1) @ W2


def outputs_of(rows):
    return np.asarray(network(jnp.asarray(rows, jnp.float32)), dtype=np.float64)


def test_values_are_shapley_values_and_gradients_add_up():
    explanation = DeepExplainer(network, jnp.asarray(X[:8])).explain_local(X[20:22])
    for row in range(2):
        known = shapley_values(model_game(outputs_of, X[20 + row : 21 + row], X[:8]), 4)
        np.testing.assert_allclose(explanation.local_importance_values[:, row], known, atol=1e-5)
    path = DeepExplainer(network, jnp.asarray(X[:8]), method="path").explain_local(X[20:])
    total = (path.local_importance_values.sum(axis=2) + path.expected_values[:, None]).T
    np.testing.assert_allclose(total, outputs_of(X[20:]), atol=1e-5)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda rows: {"a": rows, "b": rows}, r"\['a', 'b'\]"),
        (lambda rows: rows[:, None], "one row of numbers per example"),
        (lambda rows: rows @ W2, "cannot take examples of the shapes"),
        (lambda rows: jnp.log(rows), "NaN or infinite"),
    ],
)
def test_functions_that_cannot_be_explained_are_refused(function, message):
    with pytest.raises(InvalidInputError, match=message):
        DeepExplainer(function, jnp.asarray(X)).explain_local(X[:2])


def test_an_unknown_device_is_refused():
    with pytest.raises(InvalidInputError, match="'device' parameter"):
        DeepExplainer(network, jnp.asarray(X), device="nonsense")


def test_segments_and_pixels_of_images():
    weights = jnp.asarray(RNG.normal(size=(3, N_CLASSES)), jnp.float32)

    def model(images):
        return jax.nn.softmax(jnp.tanh(images[:, :10] * 2).mean(axis=(1, 2)) @ weights * 3)

    check_images(model, lambda images: np.asarray(model(jnp.asarray(images, jnp.float32)), float), jnp.asarray(IMAGES))
