"""Models of `tf_keras`, the Keras 2 that some TensorFlow projects still use."""

import numpy as np
import pytest
import tf_keras
from tf_keras import layers

from automl_explain import DeepExplainer, InvalidInputError, describe

X = np.random.default_rng(0).normal(size=(24, 5)).astype(np.float32)


def total(explanation):
    return (explanation.local_importance_values.sum(axis=2) + np.reshape(explanation.expected_values, (-1, 1))).T


@pytest.mark.parametrize("method", ["coalitions", "path"])
def test_values_add_up_and_log_odds_are_scores(method):
    model = tf_keras.Sequential(
        [tf_keras.Input((5,)), layers.Dense(8, activation="relu"), layers.Dropout(0.5), layers.Dense(3, "softmax")]
    )
    explanation = DeepExplainer(model, X[:8], method=method).explain_local(X[20:])
    np.testing.assert_allclose(total(explanation), model(X[20:]).numpy(), atol=1e-5)
    scores = np.exp(describe(model, X).outputs["log_odds"](X))
    np.testing.assert_allclose(scores / scores.sum(axis=1, keepdims=True), model(X).numpy(), atol=1e-5)


def test_several_inputs_have_names():
    left, right = tf_keras.Input((2,), name="left"), tf_keras.Input((3,), name="right")
    model = tf_keras.Model([left, right], layers.Dense(2)(layers.Concatenate()([left, right])))
    rows = {"right": X[:, :3], "left": X[:, 3:]}
    explanation = DeepExplainer(model, rows).explain_local({name: part[:2] for name, part in rows.items()})
    assert explanation.features[0] == "right[0]"
    np.testing.assert_allclose(total(explanation), model([X[:2, 3:], X[:2, :3]]).numpy(), atol=1e-5)


def test_wrong_shapes_are_refused():
    model = tf_keras.Sequential([tf_keras.Input((4,)), layers.Dense(2)])
    with pytest.raises(InvalidInputError, match=r"'n', 4\)"):
        DeepExplainer(model, X)
