"""Arrays that can be read in several ways, and numbers of several types, as the model takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from automl_explain import ImageExplainer, InvalidInputError
from tests import image_cases

FACES, LABELS = image_cases.faces()
GREY = FACES[:, 0]
SEGMENTS = np.arange(625).reshape(25, 25) // 125


def explained(model: Any, images: Any, **given: Any) -> Any:
    return ImageExplainer(model, segments=given.pop("segments", SEGMENTS), **given).explain_local(images)


def flat_network() -> torch.nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(625, 2)).eval()


MODELS = {
    "estimator": (LogisticRegression(max_iter=300).fit(GREY[::2].reshape(100, -1), LABELS[::2]), 3),
    "grey network": (flat_network(), 3),
    "colour network": (image_cases.small_network(3), 1),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_model_decides_between_three_grey_images_and_one_of_three_channels(name):
    model, n_images = MODELS[name]
    explanation = explained(model, GREY[:3].astype(np.float32))
    assert len(explanation) == n_images
    assert explanation.form.channels == ("none" if n_images == 3 else "first")


def test_images_that_can_be_read_in_two_ways_are_read_as_those_before():
    explainer = ImageExplainer(lambda images: images.mean(axis=(1, 2)), segments=SEGMENTS)
    with pytest.raises(InvalidInputError, match="one image with channels first, or 3 grey images"):
        explainer.explain_local(GREY[:3])
    every = explainer.explain_local(GREY[:5])
    np.testing.assert_array_equal(explainer.explain_local(GREY[:3]).outputs, every.outputs[:, :3])


@pytest.mark.parametrize("axis", [0, -1])
def test_a_single_image_with_one_channel_goes_to_the_network_with_it(axis):
    image = np.moveaxis(FACES[0], 0, axis)

    def model(images: np.ndarray) -> np.ndarray:
        assert images.ndim == 4
        return images.mean(axis=(1, 2, 3))

    given = {"channel_axis": 0} if axis == 0 else {}
    assert explained(model, image, **given).outputs[0, 0] == pytest.approx(FACES[0].mean(), rel=1e-6)
    assert len(explained(image_cases.small_network(), FACES[0])) == 1


def test_a_network_that_scales_bytes_gets_bytes():
    images = image_cases.colours()

    class Scales(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = image_cases.small_network(3, (24, 20))

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            scaled = given.float() / 255 if given.dtype == torch.uint8 else given
            return self.inner(scaled.permute(0, 3, 1, 2))

    network = Scales().eval()
    segments = np.arange(480).reshape(24, 20) // 96
    explanation = explained(network, images, segments=segments)
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(explanation.outputs.T, expected, atol=1e-6)
    assert explanation.additivity_error < 1e-9
    by_function = explained(lambda given: network(torch.from_numpy(given)), images, segments=segments)
    np.testing.assert_allclose(explanation.local_importance_values, by_function.local_importance_values, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_networks_of_other_precision_are_explained(dtype):
    network, images = image_cases.small_network(), torch.from_numpy(FACES[:2])
    other = image_cases.small_network().to(dtype)
    explanation = explained(other, images.to(dtype))
    assert next(other.parameters()).dtype == dtype, "the caller's network stays as it is"
    wanted = explained(network, images).local_importance_values
    np.testing.assert_allclose(explanation.local_importance_values, wanted, atol=0.01)
    assert explanation.additivity_error < 1e-9


def test_images_of_half_precision_are_explained_as_floats():
    explanation = explained(image_cases.small_network(), FACES[:2].astype(np.float16))
    assert explanation.form.dtype == "float32"
    expected = explained(image_cases.small_network(), FACES[:2]).outputs
    np.testing.assert_allclose(explanation.outputs, expected, atol=1e-3)


def test_all_targets_of_a_regression_are_explained_in_their_order():
    targets = np.stack([scale * GREY.mean(axis=(1, 2)) for scale in (1, 5, 2, 9, 3, 8, 4)], axis=1)
    explanation = explained(Ridge().fit(GREY.reshape(200, -1), targets), GREY[:5])
    assert explanation.labels == [f"target {number}" for number in range(7)]
    np.testing.assert_allclose(explanation.outputs[3], 9 * explanation.outputs[0], rtol=1e-4)
