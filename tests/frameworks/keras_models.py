"""Families of Keras models on any backend, each with examples: the tests and the benchmark run over all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

N_EXAMPLES = 24


def flat(*between: Any, n_inputs: int = 6, last: Any = None) -> Any:
    end = layers.Dense(3) if last is None else last
    return keras.Sequential([keras.Input((n_inputs,)), layers.Dense(12), *between, end])


def mlp() -> Any:
    """Batch statistics, dropout and a softmax."""
    middle = (layers.BatchNormalization(), layers.Activation("relu"), layers.Dropout(0.5))
    return flat(*middle, last=layers.Dense(3, activation="softmax"))


def normalised() -> Any:
    return flat(layers.Activation("gelu"), layers.LayerNormalization(), layers.Dense(8, activation="silu"))


def convolutional() -> Any:
    return keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(),
        layers.Dense(2),
    ])  # fmt: skip


def recurrent() -> Any:
    return keras.Sequential([keras.Input((5, 2)), layers.LSTM(6), layers.Dense(1, activation="sigmoid")])


def attention() -> Any:
    steps = keras.Input((5, 4))
    read = layers.Add()([steps, layers.MultiHeadAttention(2, 2)(steps, steps)])
    return keras.Model(steps, layers.Dense(2)(layers.GlobalAveragePooling1D()(read)))


def several_inputs() -> Any:
    """Whole numbers in an embedding beside real numbers."""
    words, numbers = keras.Input((3,), name="words", dtype="int32"), keras.Input((2,), name="numbers")
    read = layers.Concatenate()([layers.Flatten()(layers.Embedding(9, 3)(words)), numbers])
    return keras.Model(
        [words, numbers], layers.Dense(2, activation="softmax")(layers.Dense(8, activation="relu")(read))
    )


def real(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N_EXAMPLES, *shape)).astype(np.float32)


def words_and_numbers() -> dict[str, np.ndarray]:
    return {"words": np.random.default_rng(1).integers(0, 9, (N_EXAMPLES, 3)), "numbers": real(2)}


FAMILIES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "MLP with batch statistics": (mlp, lambda: real(6)),
    "GELU, SiLU, LayerNorm": (normalised, lambda: real(6)),
    "Conv and MaxPool": (convolutional, lambda: real(8, 8, 1)),
    "LSTM": (recurrent, lambda: real(5, 2)),
    "attention": (attention, lambda: real(5, 4)),
    "embedding and numbers": (several_inputs, words_and_numbers),
}
"""Name -> model and examples, in the form that the model takes."""


def made(name: str) -> tuple[Any, Any]:
    """Return a model with weights that stay the same, and examples."""
    keras.utils.set_random_seed(0)
    model, examples = FAMILIES[name][0](), FAMILIES[name][1]()
    outputs_of(model, examples)
    return model, examples


def outputs_of(model: Any, examples: Any) -> np.ndarray:
    """Return the outputs as Keras computes them, (n, K) float64."""
    given = examples
    if isinstance(examples, dict):
        given = {key: keras.ops.convert_to_tensor(array) for key, array in examples.items()}
    return np.asarray(keras.ops.convert_to_numpy(model(given, training=False)), dtype=np.float64)


def part_of(examples: Any, rows: slice) -> Any:
    """Return some of the examples."""
    return {key: array[rows] for key, array in examples.items()} if isinstance(examples, dict) else examples[rows]
