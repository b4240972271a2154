"""`explain_model` recognises images, and can be told what the examples are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lightgbm import LGBMClassifier
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from automl_explain import (
    Explanation,
    ImageExplanation,
    InvalidInputError,
    RunHistory,
    UnsupportedModelError,
    explain_model,
    plot_global_importance,
    retrieve_model_explanation,
)
from automl_explain.explainers.image._images import look_like_images
from tests import image_cases

IMAGES = image_cases.faces()[0]
NETWORK = image_cases.small_network()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 16, 20, 3), True), ((2, 1, 25, 25), True), ((2, 32, 32, 4), True), ((2, 1, 8, 8), False),
        ((2, 16, 16, 2), False), ((2, 25, 25), False), ((2, 400), False), ((2, 3, 16, 16, 16), False),
    ],
)  # fmt: skip
def test_arrays_of_images_are_told_by_their_shape(shape, expected):
    assert look_like_images(np.zeros(shape)) is expected
    assert look_like_images(torch.zeros(shape)) is expected


def test_the_six_values_of_images():
    explained = explain_model(NETWORK, IMAGES[:9], IMAGES[10:13], classes=["a", "b", "c"])
    assert isinstance(explained.explanation, ImageExplanation)
    shap_values, expected, summary, names, per_class, class_names = explained
    assert [values.shape[0] for values in shap_values] == [3, 3, 3]
    np.testing.assert_allclose(
        sum(np.sum(values) for values in shap_values) + 3 * expected.sum(), explained.explanation.outputs.sum()
    )
    assert list(summary) == sorted(summary, reverse=True)
    assert names[0].startswith("rows ")
    assert per_class.shape == class_names.shape == (3, 64)
    assert explained.classes == ("a", "b", "c")
    assert isinstance(explained.raw, Explanation)
    assert list(explained.to_frame()) == ["overall", "a", "b", "c"]
    assert "data:image/png" in explained._repr_html_()
    assert len(plot_global_importance(explained, top_k=4).figure.axes) >= 1
    assert len(explained[1].explanation) == 1
    with pytest.raises(InvalidInputError, match=r"row\(\) describes rows of tables"):
        explained.row(0)


def test_a_regression_on_images():
    explained = explain_model(lambda images: images.mean(axis=(1, 2, 3)), IMAGES[:9], IMAGES[10:12])
    assert explained.shap_values.shape[0] == 2
    assert explained.per_class_imp is None


@pytest.mark.parametrize("axis", [None, 1, -1])
@pytest.mark.parametrize("model", [LogisticRegression(max_iter=20), LGBMClassifier(n_estimators=3, verbose=-1)])
def test_images_of_a_model_of_flat_pixels_are_recognised_at_any_size(model, axis):
    digits = load_digits(n_class=3)
    model.fit(digits.data[:200], digits.target[:200])
    images = digits.images if axis is None else np.expand_dims(digits.images, axis)
    for given in (model, getattr(model, "booster_", model)):
        explained = explain_model(given, images[:50], images[50:52], y_train=digits.target[:50])
        assert isinstance(explained.explanation, ImageExplanation)
        rows = explain_model(given, digits.data[:50], digits.data[50:52]).explanation
        assert explained.output_space == rows.output_space
        np.testing.assert_allclose(explained.explanation.outputs.T, rows.predictions, rtol=1e-6)
    with pytest.raises(InvalidInputError, match=r"takes 64 numbers. An image of the shape \(20, 20\) has 400"):
        explain_model(model, np.zeros((5, 20, 20)), np.zeros((2, 20, 20)), data="images")


def test_labels_name_the_classes():
    means = IMAGES.mean(axis=(1, 2, 3))

    def is_light(images: np.ndarray) -> np.ndarray:
        light = 1 / (1 + np.exp(-30 * (images.mean(axis=(1, 2, 3)) - np.median(means))))
        return np.stack([1 - light, light], axis=1)

    labels = np.where(means > np.median(means), "light", "dark")
    assert explain_model(is_light, IMAGES, IMAGES[:1], y_train=labels).classes == ("dark", "light")


def test_what_examples_are_can_be_said():
    cells = explain_model(NETWORK, IMAGES[:4], IMAGES[10:11], data="cells")
    assert cells.explanation.num_features == 625
    small = IMAGES[:, :, ::4, ::4]
    network = image_cases.small_network(size=(7, 7))
    assert isinstance(explain_model(network, small[:4], small[5:6]).explanation, Explanation)
    images = explain_model(network, small[:4], small[5:6], data="images").explanation
    assert isinstance(images, ImageExplanation)
    with pytest.raises(InvalidInputError, match=r"'data' parameter must be one of \['auto', .*'images', 'cells'\]"):
        explain_model(NETWORK, IMAGES[:4], IMAGES[:1], data="pixels")
    with pytest.raises(UnsupportedModelError, match="Got images: leave out members=True"):
        explain_model(NETWORK, IMAGES[:4], IMAGES[:1], members=True)


def test_explanations_of_images_are_retrieved_by_their_run(tmp_path):
    history = RunHistory(tmp_path)
    search = history.start_search("my own", "multiclass", {})
    run = {"number": 0, "learner": "cnn", "config": {}, "loss": 0.5, "metric": "log_loss", "kind": "trial"}
    (run_id,) = history.add_runs(search, [run | {"status": "captured", "why": "", "sample_size": None}])
    explained = explain_model(NETWORK, IMAGES[:4], IMAGES[:2], best_run=history.run(run_id))
    read = retrieve_model_explanation(run_id, history=history)
    assert read.overall_imp == explained.overall_imp
    assert isinstance(read.explanation, ImageExplanation)
    assert read.model_kind == "trial"
