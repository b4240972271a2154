"""`plot_image` draws the image, and its values class by class on one symmetric scale."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from automl_explain import ImageExplainer, SamplingOptions, plot_image
from automl_explain.explainers.formatting._colors import BAR_COLOR, LOWERING_COLOR
from tests import image_cases

FEW = SamplingOptions(nsamples=64)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def contrast(batch: np.ndarray) -> np.ndarray:
    """Return an output that the left half raises and the right half lowers."""
    return batch[:, :, :10].mean(axis=(1, 2)) - batch[:, :, 10:].mean(axis=(1, 2))


def test_values_that_raise_and_lower_the_output_have_their_colours():
    halves = np.arange(2).repeat(10)[None].repeat(20, axis=0)
    image = np.ones((20, 20))
    explanation = ImageExplainer(contrast, segments=halves, absent=np.zeros((20, 20))).explain_local(image)
    ax = plot_image(explanation, outlines=False)
    picture, values = (one.get_array().astype(float) / 255 for one in ax.get_images())
    assert (picture == 1.0).all(), "the image itself comes first"
    left, right = values[5, 5], values[5, -5]
    for shown, colour in ((left, BAR_COLOR), (right, LOWERING_COLOR)):
        np.testing.assert_allclose(shown, 0.15 + 0.85 * np.array(to_rgb(colour)), atol=0.01)
    assert ax.figure.axes[-1].get_ylim() == (-1.0, 1.0), "the scale is symmetric, and its end is the largest value"


def test_classes_stand_side_by_side_the_most_likely_first():
    explainer = ImageExplainer(
        image_cases.small_network(n_outputs=7), n_segments=6, sampling=FEW, classes=list("abcdefg")
    )
    explanation = explainer.explain_local(image_cases.faces()[0][[0, 150]])
    ax = plot_image(explanation, image=1)
    titles = [text.get_text() for text in ax.texts]
    assert titles[0] == "image"
    assert [title[0] for title in titles[1:]] == explanation[1].labels[:3]
    assert len(plot_image(explanation, image=1, classes=explanation[1].labels[:1]).get_images()) == 2


def test_a_global_explanation_is_drawn_as_the_mean_of_its_images():
    explainer = ImageExplainer(image_cases.small_network(), n_segments=6, sampling=FEW)
    explanation = explainer.explain_global(image_cases.faces()[0][:4])
    ax = plot_image(explanation)
    assert ax.get_title(loc="left") == "Mean over 4 images"
    assert len(ax.get_images()) == 3
    _, own = plt.subplots()
    assert plot_image(explanation, image=2, ax=own) is own


def overlapping(ax) -> list[tuple[str, str]]:
    """Return pairs of texts of axes and their colour bar that overlap or leave the figure."""
    ax.figure.canvas.draw()
    texts = [*ax.texts, *(other.yaxis.label for other in ax.figure.axes[1:] if other.yaxis.label.get_text())]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    pairs = [(one[0], two[0]) for i, one in enumerate(boxes) for two in boxes[:i] if one[1].overlaps(two[1])]
    whole = ax.figure.bbox
    cut = [text for text, box in boxes if box.y0 < whole.y0 - 1 or box.y1 > whole.y1 + 1 or box.x1 > whole.x1 + 1]
    return pairs + [(text, "cut") for text in cut]


def by_rows(batch: np.ndarray) -> np.ndarray:
    """Return three outputs."""
    return np.stack([batch[:, ::step].mean(axis=(1, 2, 3)) for step in (1, 2, 3)], axis=1)


@pytest.mark.parametrize("size", [(20, 200), (200, 40), (24, 24)])
def test_titles_fit_pictures_of_every_shape(size):
    image = np.random.default_rng(0).random((*size, 3))
    names = ["a class with quite a long name", "another class with a long name", "c"]
    explanation = ImageExplainer(by_rows, n_segments=4, classes=names).explain_local(image)
    ax = plot_image(explanation)
    assert not overlapping(ax)
    assert max(ax.figure.get_size_inches()) < 14
    figure, (small, _) = plt.subplots(1, 2, figsize=(7, 3))
    plot_image(explanation, ax=small)
    figure.canvas.draw()
    assert all(text.get_window_extent().width < small.get_window_extent().width / 3 for text in small.texts)
