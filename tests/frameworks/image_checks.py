"""Checks of `ImageExplainer` on a network of any framework: segments against the definition, pixels by what they add up to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from automl_explain import ImageExplainer
from tests.oracles import shapley_values

SIZE = (20, 24)
SEGMENTS = 3 * (2 * np.arange(SIZE[0])[:, None] // SIZE[0]) + 3 * np.arange(SIZE[1]) // SIZE[1]
IMAGES = np.random.default_rng(0).random((2, *SIZE, 3)).astype(np.float32)
N_CLASSES = 4


def check_images(model: Any, outputs: Callable[[np.ndarray], np.ndarray], images: Any = IMAGES) -> None:
    """Check the values of segments and pixels of a model of `IMAGES` with four probabilities."""
    options = {"absent": "mean", "top_classes": 2, "output": "probability", "progress": False}
    explanation = ImageExplainer(model, segments=SEGMENTS, **options).explain_local(images)
    for number, image in enumerate(IMAGES):
        absent = np.broadcast_to(image.mean(axis=(0, 1)), image.shape)
        every = np.argsort(-outputs(image[None])[0])[:2]
        np.testing.assert_array_equal(explanation.class_numbers[:, number], every)

        def game(present: frozenset[int], image: np.ndarray = image, absent: np.ndarray = absent) -> np.ndarray:
            return outputs(np.where(np.isin(SEGMENTS, sorted(present))[..., None], image, absent)[None])[0]

        known = shapley_values(game, 6)[every]
        np.testing.assert_allclose(explanation.local_importance_values[:, number], known, atol=3e-6)
    pixels = ImageExplainer(model, level="pixel", method="path", **options).explain_local(images)
    assert pixels.to_pixels().shape == (2, len(IMAGES), *SIZE)
    assert pixels.additivity_error < 1e-6
    np.testing.assert_allclose(pixels.outputs, explanation.outputs, atol=1e-6)
