"""Bad images, parameters and models: one typed error that says what came and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from automl_explain import ImageExplainer, InvalidInputError, MissingExtraError, UnsupportedModelError, plot_image
from automl_explain.explainers.image import _segments
from tests import image_cases

COLOURS = image_cases.colours()


def model(batch: Any) -> Any:
    return np.asarray(batch, dtype=float).reshape(len(batch), -1).mean(axis=1)


WITH_NAN = COLOURS / 255.0
WITH_NAN[1, 3, 3] = np.nan
IMAGES: dict[str, tuple[Any, str]] = {
    "NaN": (WITH_NAN, "Image 1 has NaN or infinite pixels"),
    "infinite": (np.full((20, 20), np.inf), "Image 0 has NaN or infinite pixels"),
    "text": (np.array([["a", "b"]]), "must hold numbers. Got an array of dtype <U1"),
    "a path": ("cat.png", "must hold numbers. Got str 'cat.png'"),
    "None": (None, "must hold numbers. Got NoneType None"),
    "one row": (np.zeros(20), r"Images are arrays of shape.*Got The images with the shape \(20,\)"),
    "five axes": (np.zeros((1, 2, 3, 4, 5)), "Images are arrays of shape"),
    "none": (np.zeros((0, 20, 20, 3)), "at least one image and one pixel"),
    "no images": ([], "at least one image and one pixel"),
    "several shapes": ([COLOURS[0], COLOURS[0, :10]], "must have the same shape.*explain those of each shape"),
    "two channels": (np.zeros((2, 20, 20, 2)), "does not tell the axis of the channels.*Pass channel_axis=-1"),
    "bands of one image": (
        np.zeros((20, 20, 7)),
        r"have the shape \(20, 20, 7\), which does not tell.*or channel_axis=None",
    ),
    "one image or three": (
        np.zeros((3, 20, 20)),
        "one image with channels first, or 3 grey images. Pass channel_axis=0",
    ),
    "masked": (np.ma.masked_less(COLOURS, 9), "must have all their pixels. Got a masked array"),
    "bytes and fractions": (
        [COLOURS[0], COLOURS[1] / 255.0],
        "must have one unit. Got whole numbers and fractions together",
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_what_is_no_image_is_refused(name):
    images, said = IMAGES[name]
    with pytest.raises(InvalidInputError, match=said):
        ImageExplainer(model, n_segments=4).explain_local(images)


PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "absent": ({"absent": "blurr"}, r"'absent' parameter must be one of.*Got 'blurr'\. Did you mean 'blur'"),
    "absent None": ({"absent": None}, "'absent' parameter must be one of"),
    "absent shape": ({"absent": np.zeros((10, 10, 3))}, r"must have the shape of the images, \(24, 20, 3\)\. Got"),
    "absent range": ({"absent": np.full((24, 20, 3), 3000.0)}, "must have the range of the images.*scale both alike"),
    "segments shape": ({"segments": np.zeros((9, 9), int)}, r"an array of shape \(24, 20\) for all images.*\(9, 9\)"),
    "segments numbers": ({"segments": np.zeros((24, 20))}, "'segments' parameter must hold a whole number.*float64"),
    "segments count": ({"segments": np.zeros((2, 24, 20), int)}, r"of each of 3.*\(2, 24, 20\)"),
    "n_segments": ({"n_segments": 0}, "'n_segments' parameter must be an integer, 1 or more. Got 0"),
    "top_classes": ({"top_classes": 1.5}, "'top_classes' parameter must be an integer, 1 or more. Got 1.5"),
    "level": ({"level": "pixels"}, r"'level' parameter must be one of \['segment', 'pixel'\]. Got 'pixels'"),
    "method": ({"method": "lime"}, "'method' parameter must be one of.*Got 'lime'"),
    "channel_axis": ({"channel_axis": 7}, "'channel_axis' parameter must be 'auto'.*Got 7"),
    "channel_axis None": ({"channel_axis": None}, "channel_axis=None means images without channels"),
    "image_shape": ({"image_shape": 64}, "'image_shape' parameter must be the shape of an image.*Got 64"),
    "other image_shape": ({"image_shape": (8, 8)}, r"rows of 64 pixels or images of the shape \(8, 8\)"),
    "layer": ({"layer": "0"}, "'layer' parameter belongs to method='gradcam'. Got layer='0' and method='auto'"),
    "preprocess": ({"preprocess": 3}, "'preprocess' parameter must be a function, or None. Got 3"),
    "sampling": ({"sampling": 500}, "'sampling' parameter must be SamplingOptions"),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_that_do_not_fit_are_refused(name):
    given, said = PARAMETERS[name]
    with pytest.raises(InvalidInputError, match=said):
        ImageExplainer(model, **{"n_segments": 4, **given}).explain_local(COLOURS)


class Several(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": images.mean(dim=(1, 2)), "aux": images[:, 0, 0]}


BYTES_NETWORK = torch.nn.Sequential(torch.nn.Conv2d(24, 2, 3), torch.nn.Flatten(), torch.nn.Linear(36, 2))


def fails(batch: Any) -> Any:
    raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


MODELS: dict[str, tuple[Any, type[Exception], str]] = {
    "other channels": (image_cases.small_network(1), InvalidInputError, r"cannot take .*\(3, 24, 20, 3\)"),
    "several outputs": (Several(), InvalidInputError, r"must return one tensor. Got dict with \['logits', 'aux'\]"),
    "raises": (fails, InvalidInputError, r"take the values of the images: .*mat1 and.*pass image_shape=\(24, 20, 3\)"),
    "a dict": (lambda batch: {"p": batch.mean(axis=(1, 2, 3))}, InvalidInputError, r"Got a dict with \['p'\]: choose one of"),
    "a tuple": (lambda batch: (model(batch), model(batch)), InvalidInputError, r"Got a tuple with \[0, 1\]: choose one of"),
    "bytes": (BYTES_NETWORK, InvalidInputError, r"takes float32, not the uint8 of the images.*such as images / 255"),
    "NaN": (lambda batch: np.full(len(batch), np.nan), InvalidInputError, "NaN or infinite"),
    "one number": (lambda batch: 0.5, InvalidInputError, "one row of predictions per row"),
    "labels": (lambda batch: ["cat"] * len(batch), InvalidInputError, "must return numbers. Got 'cat'|Got .*cat"),
    "no model": (object(), UnsupportedModelError, "Cannot explain object: it has no predict"),
    "other size": (
        LogisticRegression().fit(np.eye(4), [0, 0, 1, 1]), InvalidInputError, "must have 4 columns|takes 4 numbers"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_models_that_do_not_take_the_images_are_refused(name):
    given, error, said = MODELS[name]
    with pytest.raises(error, match=said):
        ImageExplainer(given, n_segments=4).explain_local(COLOURS)


def test_grey_images_for_a_network_with_an_axis_of_channels_are_refused():
    network, images = image_cases.small_network(), image_cases.faces()[0][:5, 0]
    said = (
        r"cannot take examples of the shapes \[\(5, 25, 25\)\].*read as grey images of \(25, 25\).*pass channel_axis=0"
    )
    with pytest.raises(InvalidInputError, match=said):
        ImageExplainer(network).explain_local(images)


def test_an_explainer_takes_images_of_another_shape_later():
    explainer = ImageExplainer(model, n_segments=4)
    explainer.explain_local(COLOURS)
    assert explainer.explain_local(COLOURS[:, :18] / 255.0).segments.shape == (3, 18, 20)


def test_a_missing_extra_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage.segmentation", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'automl-explain\[image\]'"):
        _segments.find_segments(COLOURS[0], 9)
    assert len(ImageExplainer(model, segments=np.arange(480).reshape(24, 20) // 96).explain_local(COLOURS)) == 3


def test_a_plot_needs_an_explanation_of_images_and_known_classes():
    with pytest.raises(InvalidInputError, match="draws an ImageExplanation"):
        plot_image(COLOURS)
    explanation = ImageExplainer(image_cases.corners, n_segments=4).explain_local(COLOURS)
    with pytest.raises(InvalidInputError, match="There are values of"):
        plot_image(explanation, classes=[5])
    with pytest.raises(InvalidInputError, match="must be a list of class labels"):
        plot_image(explanation, classes="upper")


def test_heat_maps_have_no_form_of_shap():
    explainer = ImageExplainer(image_cases.small_network(), method="gradcam", layer="0")
    explanation = explainer.explain_local(image_cases.faces()[0][:1])
    with pytest.raises(InvalidInputError, match="A heat map holds no Shapley values"):
        explanation.to_shap()


def test_a_function_of_segments_that_fails_is_named():
    def segments(image):
        return 1 // 0

    with pytest.raises(InvalidInputError, match="The function of 'segments' cannot take the values of the images"):
        ImageExplainer(lambda images: images.mean(axis=(1, 2)), segments=segments).explain_local(np.ones((1, 20, 20)))


def test_outputs_of_a_network_are_chosen_with_tensors_as_the_message_says():
    network, images = Several(), torch.from_numpy(COLOURS / np.float32(255))
    with pytest.raises(
        InvalidInputError, match=r"such as lambda x: model\(x\)\['logits'\].*ImageExplainer's images\) as tensors"
    ):
        ImageExplainer(network).explain_local(images)
    explanation = ImageExplainer(lambda x: network(x)["logits"], n_segments=4).explain_local(images)
    np.testing.assert_allclose(explanation.outputs.T, network(images)["logits"], rtol=1e-6)
