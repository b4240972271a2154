"""Values of segments and pixels against Shapley values by definition, for all layouts of images and kinds of models."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from automl_explain import DeepExplainer, ImageExplainer, InvalidInputError, SamplingOptions, UnsupportedModelError
from tests import image_cases, oracles

COLOURS = image_cases.colours()
BANDS = np.random.default_rng(0).random((2, 6, 18, 20))
DIGITS = load_digits()
N_TRAINED = 400


def segments_of(size: tuple[int, int]) -> np.ndarray:
    """Return six segments of an image, as labels with gaps."""
    rows, columns = np.indices(size)
    return 10 * (2 * rows // size[0]) + 3 * (3 * columns // size[1])


def by_definition(outputs: Any, image: np.ndarray, absent: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Return the Shapley values (K, P) of segments; arrays are channels last, absent images (B, ...)."""
    labels = np.unique(segments)

    def game(present: frozenset[int]) -> np.ndarray:
        shown = np.isin(segments, labels[sorted(present)])
        return outputs(np.where(shown[..., None], image, absent)).mean(axis=0)

    return oracles.shapley_values(game, len(labels))


def blurred(image: np.ndarray) -> np.ndarray:
    sigma = min(image.shape[:2]) / 8
    made = np.stack(
        [ndimage.gaussian_filter(band.astype(float), sigma, mode="nearest") for band in np.moveaxis(image, -1, 0)], -1
    )
    return np.rint(made).astype(image.dtype) if image.dtype.kind in "iu" else made.astype(image.dtype)


LAYOUTS: dict[str, tuple[np.ndarray, Any, dict[str, Any]]] = {
    "grey": (COLOURS[..., 0], lambda x: x[..., None], {}),
    "grey float": (COLOURS[..., 0] / 255.0, lambda x: x[..., None], {"channel_axis": None}),
    "RGB": (COLOURS, lambda x: x, {}),
    "RGB float": (COLOURS / np.float32(255), lambda x: x, {"channel_axis": -1}),
    "RGBA": (np.concatenate([COLOURS, COLOURS[..., :1]], -1), lambda x: x, {}),
    "channels first": (np.moveaxis(COLOURS, -1, 1), lambda x: np.moveaxis(x, 1, -1), {}),
    "bands": (BANDS, lambda x: np.moveaxis(x, 1, -1), {"channel_axis": 0}),
}
"""Name -> images, the function that puts their channels last, and parameters of the explainer."""


@pytest.mark.parametrize("name", LAYOUTS)
def test_segments_have_their_shapley_values_in_every_layout(name):
    images, last, given = LAYOUTS[name]
    seen = []

    def model(batch: np.ndarray) -> np.ndarray:
        seen.append((batch.shape[1:], batch.dtype))
        return image_cases.corners(last(batch))

    segments = segments_of(last(images).shape[1:3])
    explanation = ImageExplainer(model, segments=segments, **given).explain_local(images[:2])
    assert set(seen) == {(images.shape[1:], images.dtype)}, "the model gets images in the layout and type of the caller"
    assert explanation.standard_errors is None
    for number, image in enumerate(last(images[:2])):
        expected = by_definition(image_cases.corners, image, blurred(image)[None], segments)
        np.testing.assert_allclose(explanation.local_importance_values[:, number], expected, atol=1e-7)
    assert explanation.additivity_error < 1e-9


ABSENT = {
    "mean": lambda image: np.rint(np.broadcast_to(image.mean(axis=(0, 1)), image.shape))[None].astype(np.uint8),
    "an image": lambda image: COLOURS[1][None],
    "background images": lambda image: COLOURS[1:],
}


@pytest.mark.parametrize("name", ABSENT)
def test_absent_segments_look_as_requested(name):
    given = {"mean": "mean", "an image": COLOURS[1], "background images": COLOURS[1:]}[name]
    image, segments = COLOURS[0], segments_of(COLOURS.shape[1:3])
    explanation = ImageExplainer(image_cases.corners, segments=segments, absent=given).explain_local(image)
    expected = by_definition(image_cases.corners, image, ABSENT[name](image), segments)
    np.testing.assert_allclose(explanation.local_importance_values[:, 0], expected, atol=1e-9)
    base = image_cases.corners(ABSENT[name](image)).mean(axis=0)
    np.testing.assert_allclose(explanation.base_values[:, 0], base, atol=1e-9)


def test_inpainting_continues_what_is_around_a_segment():
    ramp = np.linspace(0.0, 1.0, 20) * np.ones((20, 1))
    image = ramp.copy()
    image[8:12, 8:12] = 1.0  # a spot
    segments = np.zeros((20, 20), int)
    segments[8:12, 8:12] = 1
    explainer = ImageExplainer(
        lambda x: x[:, 8:12, 8:12].mean(axis=(1, 2)), segments=segments, absent="inpaint", channel_axis=None
    )
    explanation = explainer.explain_local(image)
    spot = 1.0 - ramp[8:12, 8:12].mean()
    np.testing.assert_allclose(explanation.local_importance_values, [[[0.0, spot]]], atol=0.01)


def test_a_network_of_torch_is_masked_as_a_function_is():
    images = image_cases.faces()[0][:3].copy()
    network, segments = image_cases.small_network(), segments_of((25, 25))
    outputs = image_cases.outputs_of(network)
    explanation = ImageExplainer(network, segments=segments).explain_local(torch.from_numpy(images))
    for number, image in enumerate(images):
        expected = by_definition(
            lambda x: outputs(np.moveaxis(x, -1, 1)),
            np.moveaxis(image, 0, -1), blurred(np.moveaxis(image, 0, -1))[None], segments,
        )  # fmt: skip
        np.testing.assert_allclose(explanation.local_importance_values[:, number], expected, atol=1e-6)
    assert explanation.output_space == "probability"
    scores = ImageExplainer(network, segments=segments, output="log_odds").explain_local(images)
    before = network[:-1](torch.from_numpy(images)).detach()
    np.testing.assert_allclose(scores.outputs.T, before, atol=1e-6)


ESTIMATORS = {
    "forest": (RandomForestClassifier(5, max_depth=4, random_state=0), "tree"),
    "logistic": (make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)), "linear"),
    "perceptron": (MLPClassifier((8,), max_iter=30, random_state=0), "coalitions"),
    "neighbours": (KNeighborsClassifier(5), "kernel"),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("name", "form"), [*((name, "images") for name in ESTIMATORS), ("logistic", "flat")])
def test_estimators_on_flat_pixels_are_explained_by_their_structure(name, form):
    model, method = ESTIMATORS[name]
    model.fit(DIGITS.data[:N_TRAINED], DIGITS.target[:N_TRAINED] % 3)
    given = {"image_shape": (8, 8)} if form == "flat" else {}
    rows = DIGITS.data if form == "flat" else DIGITS.images
    segments = segments_of((8, 8))
    explanation = ImageExplainer(model, segments=segments, absent="mean", **given).explain_local(rows[[1, 7]])
    assert explanation.method == method
    space = explanation.output_space

    def outputs(x: np.ndarray) -> np.ndarray:
        flat = x.reshape(len(x), -1)
        return model.predict_proba(flat) if space == "probability" else model.decision_function(flat)

    for number, image in enumerate(DIGITS.images[[1, 7]][..., None]):
        absent = np.full_like(image, image.mean())[None]
        expected = by_definition(outputs, image, absent, segments)
        np.testing.assert_allclose(explanation.local_importance_values[:, number], expected, atol=1e-6)


def test_images_go_to_the_model_as_preprocess_makes_them():
    network = image_cases.small_network(3, (24, 20))

    def preprocess(batch: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255

    segments = segments_of((24, 20))
    explained = ImageExplainer(network, segments=segments, preprocess=preprocess).explain_local(COLOURS)
    assert explained.output_space == "probability"
    function = ImageExplainer(
        lambda batch: image_cases.outputs_of(network)(preprocess(batch).numpy()), segments=segments
    ).explain_local(COLOURS)
    np.testing.assert_allclose(
        explained.local_importance_values, function.local_importance_values, rtol=1e-5, atol=1e-6
    )
    both = ImageExplainer(lambda batch: network(batch), segments=segments, preprocess=preprocess).explain_local(COLOURS)
    np.testing.assert_allclose(both.local_importance_values, function.local_importance_values, atol=1e-6)


# ------------------------------------------------------------------------------------------------------ sampling

TWELVE = np.arange(12).reshape(3, 4).repeat(8, axis=0).repeat(5, axis=1)


def of_twelve(image: np.ndarray) -> np.ndarray:
    """Return the Shapley values (K, 12) of `COLOURS`' segments by enumeration, with one weight per size of coalition."""
    from math import comb

    present = np.array(list(product([False, True], repeat=12)))
    shown = present[:, TWELVE][..., None]
    outputs = image_cases.corners(np.where(shown, image, blurred(image)))
    sizes = present.sum(axis=1)
    inside = np.array([1 / (12 * comb(11, size - 1)) if size else 0.0 for size in sizes])
    outside = np.array([1 / (12 * comb(11, size)) if size < 12 else 0.0 for size in sizes])
    return outputs.T @ np.where(present, inside[:, None], -outside[:, None])


def test_sampled_values_are_near_those_of_enumeration_as_their_errors_say():
    image = COLOURS[0]
    options = SamplingOptions(nsamples=64)
    found = ImageExplainer(image_cases.corners, segments=TWELVE, sampling=options).explain_local(image)
    gap = found.local_importance_values[:, 0] - of_twelve(image)
    assert np.linalg.norm(gap) < 0.03 * np.linalg.norm(of_twelve(image))
    assert (np.abs(gap) < 5 * found.standard_errors[:, 0] + 1e-9).all()
    assert found.additivity_error < 1e-9
    same = ImageExplainer(image_cases.corners, segments=TWELVE, sampling=options).explain_local(image)
    np.testing.assert_array_equal(same.local_importance_values, found.local_importance_values)


def test_evaluation_stops_when_the_standard_errors_are_within_the_tolerance():
    counts = []

    def model(batch: np.ndarray) -> np.ndarray:
        counts.append(len(batch))
        return image_cases.corners(batch)

    def n_evaluated(tolerance: float) -> tuple[int, Any]:
        counts.clear()
        options = SamplingOptions(nsamples=2048, tolerance=tolerance)
        made = ImageExplainer(model, segments=TWELVE, sampling=options).explain_local(COLOURS[0])
        return sum(counts), made

    (few, loose), (many, _) = n_evaluated(0.01), n_evaluated(1e-12)
    assert few < many / 3
    assert loose.standard_errors.max() <= 0.01
    assert "largest standard error" in loose.notes[-1]


def test_images_share_a_time_budget():
    options = SamplingOptions(time_budget=0.4)
    explanation = ImageExplainer(image_cases.corners, segments=TWELVE, sampling=options).explain_local(COLOURS)
    assert explanation.additivity_error < 1e-9
    assert len(explanation) == 3


# -------------------------------------------------------------------------------------------------- many classes


def test_the_classes_with_the_largest_outputs_are_explained():
    network = image_cases.small_network(n_outputs=9)
    images = image_cases.faces()[0][[3, 150]]
    segments = segments_of((25, 25))
    every = ImageExplainer(network, segments=segments, top_classes=9).explain_local(images)
    assert every.labels == list(range(9))
    few = ImageExplainer(network, segments=segments, top_classes=2, classes=list("abcdefghi")).explain_local(images)
    for number in range(2):
        largest = np.argsort(-every.outputs[:, number])[:2]
        assert few[number].labels == ["abcdefghi"[k] for k in largest]
        np.testing.assert_array_equal(
            few.local_importance_values[:, number], every.local_importance_values[largest, number]
        )
    common = ImageExplainer(network, segments=segments, top_classes=2).explain_global(images)
    assert common.same_classes


def test_a_regression_has_one_output():
    explanation = ImageExplainer(lambda x: x.mean(axis=(1, 2, 3)), n_segments=6).explain_local(COLOURS / 255.0)
    assert explanation.classes is None
    assert explanation.labels == ["output"]
    assert explanation.local_importance_values.shape[0] == 1
    np.testing.assert_allclose(explanation.outputs[0], (COLOURS / 255.0).mean(axis=(1, 2, 3)))


# --------------------------------------------------------------------------------------------------------- pixels


@pytest.mark.parametrize("method", ["rescale", "path"])
def test_pixels_of_a_network_have_the_contributions_of_its_gradients(method):
    images = image_cases.faces()[0][:2]
    network = image_cases.small_network()
    explanation = ImageExplainer(network, level="pixel", method=method, output="log_odds").explain_local(images)
    assert explanation.local_importance_values.shape == (3, 2, 625)
    assert explanation.additivity_error < 1e-6
    for number, image in enumerate(images):
        absent = blurred(np.moveaxis(image, 0, -1))
        deep = DeepExplainer(network, np.moveaxis(absent, -1, 0)[None], method=method, output="log_odds")
        expected = deep.explain_local(image[None]).local_importance_values[:, 0]
        np.testing.assert_allclose(explanation.local_importance_values[:, number], expected, atol=1e-5)
    assert explanation.coalition_r2.shape == (2,)
    assert (explanation.coalition_r2 < 1.0).all(), "judged by the image, not by the absent one"


@pytest.mark.parametrize("method", ["rescale", "path", "gradcam"])
def test_gradients_of_many_classes_are_those_of_the_classes_explained(method, monkeypatch):
    network, images = image_cases.small_network(n_outputs=9), image_cases.faces()[0][:2]
    network[1], network[2] = torch.nn.Tanh(), torch.nn.AvgPool2d(2)  # smooth, so that paths need few intervals
    passes, backward = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *args, **kwargs: passes.append(1) or backward(*args, **kwargs))

    def explained(top: int, *, common: bool):
        given = {"level": "segment", "layer": "0"} if method == "gradcam" else {"level": "pixel", "output": "log_odds"}
        explainer = ImageExplainer(network, method=method, top_classes=top, **given)
        explainer.explain_local(images[:1])  # describes the network
        passes.clear()
        return (explainer.explain_global if common else explainer.explain_local)(images), len(passes)

    (every, n_every), (few, n_few) = explained(9, common=False), explained(2, common=False)
    assert 9 * n_few == 2 * n_every
    for number in range(2):
        largest = np.argsort(-every.outputs[:, number])[:2]
        np.testing.assert_allclose(
            few.local_importance_values[:, number], every.local_importance_values[largest, number], atol=1e-9
        )
        np.testing.assert_array_equal(few.class_numbers[:, number], largest)
    assert explained(1, common=True)[0].same_classes


def test_the_channels_of_a_pixel_are_one_player():
    network = image_cases.small_network(3, (24, 20))
    images = np.moveaxis(COLOURS[:1] / np.float32(255), -1, 1)
    explanation = ImageExplainer(network, level="pixel", output="log_odds").explain_local(images)
    assert explanation.method == "rescale"
    assert explanation.to_pixels().shape == (3, 1, 24, 20)
    np.testing.assert_allclose(
        explanation.to_pixels().sum(axis=(2, 3)) + explanation.base_values, explanation.outputs, atol=1e-6
    )


def test_pixels_of_a_linear_model_are_exact():
    model = LogisticRegression(max_iter=500).fit(DIGITS.data[:N_TRAINED], DIGITS.target[:N_TRAINED] % 3)
    explanation = ImageExplainer(model, level="pixel", absent="mean").explain_local(DIGITS.images[1])
    expected = model.coef_ * (DIGITS.data[1] - DIGITS.data[1].mean())
    np.testing.assert_allclose(explanation.local_importance_values[:, 0], expected, atol=1e-9)


def test_pixels_of_a_function_are_refused_with_what_to_do():
    with pytest.raises(UnsupportedModelError, match="level='segment', or method='coalitions'"):
        ImageExplainer(image_cases.corners, level="pixel").explain_local(COLOURS)
    model = KNeighborsClassifier(5).fit(COLOURS.reshape(3, -1)[[0, 1, 2] * 3], [0, 1, 1] * 3)
    with pytest.raises(UnsupportedModelError, match="level='segment'"):
        ImageExplainer(model, level="pixel").explain_local(COLOURS)
    with pytest.raises(UnsupportedModelError, match="method='path' is for neural networks"):
        ImageExplainer(model, method="path").explain_local(COLOURS)


# ------------------------------------------------------------------------------------------------------- Grad-CAM


def test_grad_cam_is_that_of_its_paper_and_said_not_to_add_up():
    images = image_cases.faces()[0][:2]
    network = image_cases.small_network()
    explanation = ImageExplainer(network, method="gradcam", layer="1").explain_local(images)
    assert explanation.kind == "heat_map"
    assert explanation.additivity_error is None
    assert any("does not add up" in note for note in explanation.notes)
    assert "not additive" in repr(explanation)
    for number, output in product(range(2), range(3)):
        made = network[1](network[0](torch.from_numpy(images[number : number + 1]))).detach().requires_grad_()
        network[2:](made)[0, output].backward()
        weights = made.grad.mean(dim=(2, 3), keepdim=True)
        expected = torch.relu((weights * made).sum(dim=1))[0].detach().numpy()
        np.testing.assert_allclose(explanation.to_pixels()[output, number], expected, atol=1e-6)
    assert all(parameter.grad is None or parameter.requires_grad for parameter in network.parameters())
    pooled = ImageExplainer(network, method="gradcam", layer="2").explain_local(images)
    assert pooled.to_pixels().shape == (3, 2, 25, 25), "maps are scaled up to the image"


def test_grad_cam_of_a_single_probability_shows_what_speaks_for_each_of_the_two_classes():
    images = image_cases.faces()[0][:2]
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.LazyLinear(1), torch.nn.Sigmoid()
        )
        network(torch.from_numpy(images))
    pixels = ImageExplainer(network, method="gradcam", layer="0").explain_local(images).to_pixels()
    made = network[0](torch.from_numpy(images)).detach().requires_grad_()
    network[1:](made).sum().backward()
    signed = (made.grad.mean(dim=(2, 3), keepdim=True) * made).sum(dim=1).detach().numpy()
    places = (np.arange(25) + 0.5) * 23 / 25 - 0.5  # the layer is two pixels smaller than the image
    grid = np.meshgrid(places, places, indexing="ij")
    for (output, sign), number in product(((0, -1.0), (1, 1.0)), range(2)):
        expected = ndimage.map_coordinates(np.maximum(sign * signed[number], 0.0), grid, order=1, mode="nearest")
        np.testing.assert_allclose(pixels[output, number], expected, atol=1e-6)
    assert pixels[0].max() > 0.0


def test_unknown_layers_are_answered_with_those_there_are():
    network = image_cases.small_network()
    images = image_cases.faces()[0][:1]
    with pytest.raises(InvalidInputError, match=r"Got 'conv'\. The layers with such an output are \['0', '1', '2'\]"):
        ImageExplainer(network, method="gradcam", layer="conv").explain_local(images)
    with pytest.raises(InvalidInputError, match=r"'3' has \(1, 576\)"):
        ImageExplainer(network, method="gradcam", layer="3").explain_local(images)
    with pytest.raises(UnsupportedModelError, match=r"needs the layers of a torch\.nn\.Module"):
        ImageExplainer(image_cases.corners, method="gradcam", layer="3").explain_local(COLOURS)
