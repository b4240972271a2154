"""Segments, and what an `ImageExplanation` gives: parts, tables, files, pictures, means over images."""

from __future__ import annotations

import base64
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from skimage import data
from sklearn.datasets import load_digits, load_sample_image

from automl_explain import (
    Explanation,
    ExplanationClient,
    ImageExplainer,
    ImageExplanation,
    InvalidInputError,
    RunHistory,
    SamplingOptions,
    plot_global_importance,
    plot_image,
    write_report,
)
from automl_explain.explainers.image._picture import png_of
from automl_explain.explainers.image._segments import find_segments, grid
from tests import image_cases

COLOURS = image_cases.colours()
FEW = SamplingOptions(nsamples=64)


@pytest.fixture(scope="module")
def explanation() -> ImageExplanation:
    explainer = ImageExplainer(image_cases.corners, n_segments=12, classes=["upper", "lower"], sampling=FEW)
    return explainer.explain_local(COLOURS)


# ------------------------------------------------------------------------------------------------------- segments


@pytest.mark.parametrize("name", ["cat", "china", "bands", "grey"])
def test_superpixels_are_connected_and_numbered_without_gaps(name):
    image = {
        "cat": lambda: data.cat()[::3, ::3],
        "china": lambda: load_sample_image("china.jpg")[::4, ::4],
        "bands": lambda: np.dstack([data.cat()[::3, ::3]] * 2)[..., :5].astype(float),
        "grey": lambda: data.camera()[::4, ::4, None],
    }[name]()
    segments, note = find_segments(image, 30)
    assert note == ""
    assert 8 <= segments.max() + 1 <= 40
    np.testing.assert_array_equal(np.unique(segments), np.arange(segments.max() + 1))


def test_small_images_are_divided_into_a_grid_and_it_is_said():
    digits = load_digits().images[:2]
    explanation = ImageExplainer(lambda x: x.mean(axis=(1, 2)), n_segments=16).explain_local(digits)
    assert explanation.n_segments.tolist() == [16, 16]
    assert explanation.notes[0] == "images of 8 x 8 pixels are divided into a grid"
    assert (np.bincount(grid(12, 20, 15).ravel()) == 16).all()


def test_an_image_of_one_region_is_divided_into_a_grid_with_a_note():
    noise = np.random.default_rng(0).random((20, 20, 3))
    images = np.stack([noise, np.linspace(0, 1, 1200).reshape(20, 20, 3)])
    explanation = ImageExplainer(lambda x: x.mean(axis=(1, 2, 3)), n_segments=9).explain_local(images)
    assert explanation.n_segments[0] == 9
    assert "single region for SLIC, so that it is divided into a grid (1 of 2 images)" in explanation.notes[0]


def test_segments_of_ones_own_may_be_a_function_or_differ_between_images():
    halves = np.repeat([[7, -3]], 24, axis=0).repeat(10, axis=1)
    thirds = np.repeat([0, 1, 2], 8)[:, None] * np.ones((1, 20), int)
    explained = ImageExplainer(image_cases.corners, segments=np.stack([halves, thirds])).explain_local(COLOURS[:2])
    assert explained.n_segments.tolist() == [2, 3]
    assert explained.segments[0, 0, 0] == 1, "numbers follow the order of the labels"
    assert (explained.local_importance_values[:, 0, 2] == 0.0).all()
    by_function = ImageExplainer(image_cases.corners, segments=lambda image: thirds).explain_local(COLOURS[1])
    np.testing.assert_array_equal(by_function.local_importance_values[:, 0], explained.local_importance_values[:, 1])


# ---------------------------------------------------------------------------------------------------- other forms


def test_parts_of_an_explanation_keep_their_values(explanation):
    part = explanation[[2, 0]]
    for old, new in ((2, 0), (0, 1)):
        n = explanation.n_segments[old]
        np.testing.assert_array_equal(
            part.local_importance_values[:, new, :n], explanation.local_importance_values[:, old, :n]
        )
    assert [len(one) for one in explanation] == [1, 1, 1]
    assert len(explanation[1:]) == 2
    for wrong in ([], [1, 1], 7, "a"):
        with pytest.raises(InvalidInputError):
            explanation[wrong]


def test_pixels_share_the_values_of_their_segments(explanation):
    pixels = explanation.to_pixels()
    np.testing.assert_allclose(pixels.sum(axis=(2, 3)), explanation.local_importance_values.sum(axis=2))
    whole = explanation.to_pixels(spread=False)
    segment = explanation.segments[1, 5, 7]
    assert whole[0, 1, 5, 7] == explanation.local_importance_values[0, 1, segment]


def test_the_frame_has_a_row_for_each_segment(explanation):
    frame = explanation.to_local_frame()
    assert len(frame) == 2 * explanation.n_segments.sum()
    assert (frame.groupby(["image", "class"])["n_pixels"].sum() == 24 * 20).all()
    total = frame.groupby(["class", "image"], sort=False)["value"].sum().unstack()
    np.testing.assert_allclose(total.loc[["upper", "lower"]], explanation.outputs - explanation.base_values)
    assert frame["row"].between(0, 23).all()


@pytest.mark.filterwarnings("ignore:.*tight layout:UserWarning")
def test_shap_plots_its_form(explanation):
    import matplotlib.pyplot as plt
    import shap

    made = explanation.to_shap()
    assert made.values.shape == (3, 24, 20, 1, 2)
    np.testing.assert_allclose(made.values.sum(axis=(1, 2, 3)) + made.base_values, explanation.outputs.T)
    shap.image_plot(made, show=False)
    plt.close("all")


def test_a_saved_explanation_is_read_back(explanation, tmp_path):
    explanation.save(tmp_path / "images.zip")
    read = ImageExplanation.load(tmp_path / "images.zip")
    for name, value in vars(explanation).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(read, name), value)
        elif name in ImageExplanation.__dataclass_fields__:
            assert getattr(read, name) == value, name
    assert read.images.dtype == np.uint8
    assert isinstance(Explanation.load(tmp_path / "images.zip"), ImageExplanation)


def test_a_notebook_shows_pictures_and_escapes_labels():
    explainer = ImageExplainer(
        image_cases.corners, n_segments=6, classes=["<b>upper</b>", "lower"], sampling=FEW, absent="mean"
    )
    for made in (explainer.explain_local(COLOURS), explainer.explain_global(COLOURS)):
        page = made._repr_html_()
        assert "<b>upper" not in page
        pictures = re.findall(r"data:image/png;base64,([^\"]+)", page)
        assert pictures
        assert all(Image.open(BytesIO(base64.b64decode(one))).size == (240, 288) for one in pictures)


def test_explanations_of_images_are_stored_with_runs_and_shown_in_reports(explanation, tmp_path):
    history = RunHistory(tmp_path / "history")
    search = history.start_search("my own", "multiclass", {})
    run = {"number": 0, "learner": "cnn", "config": {}, "loss": 0.5, "metric": "log_loss", "kind": "trial"}
    (run_id,) = history.add_runs(search, [run | {"status": "captured", "why": "", "sample_size": None}])
    client = ExplanationClient.from_run(history.run(run_id))
    client.upload_model_explanation(explanation, comment="photographs")
    assert type(client.download_model_explanation(comment="photographs")) is ImageExplanation
    assert history.run(run_id).top[0][0].startswith("rows ")
    for shown in (history.runs(search), explanation):
        page = write_report(tmp_path / "report.html", shown).read_text(encoding="utf-8")
        pictures = page[page.index('id="examples"') :]
        assert pictures.count("data:image/png;base64,") >= 9, "three images, each with two classes"
    assert len(plot_global_importance(explanation, top_k=5).patches) >= 5


@pytest.mark.parametrize(
    "name", ["local_importance_values", "base_values", "outputs", "segments", "class_numbers", "images", "image_notes"]
)
def test_parts_that_do_not_fit_each_other_are_refused(explanation, name):
    part = getattr(explanation, name)
    with pytest.raises(InvalidInputError, match="must"):
        replace(explanation, **{name: part[:-1]})


def test_numbers_out_of_range_are_refused(explanation):
    for name in ("segments", "class_numbers"):
        with pytest.raises(InvalidInputError, match="must be whole numbers from 0 to"):
            replace(explanation, **{name: getattr(explanation, name) + 50})
    for name, array in (("standard_errors", np.zeros((2, 3))), ("coalition_r2", np.zeros(2))):
        with pytest.raises(InvalidInputError, match=f"'{name}' must have the shape"):
            replace(explanation, **{name: array})


def test_heat_maps_are_stored_and_ranked_as_what_they_are(tmp_path):
    explainer = ImageExplainer(image_cases.small_network(), method="gradcam", layer="0")
    explanation = explainer.explain_local(image_cases.faces()[0][:2])
    explanation.save(tmp_path / "heat.zip")
    read = ImageExplanation.load(tmp_path / "heat.zip")
    assert read.kind == read.overall().kind == "heat_map"
    assert read.overall().additivity_error is None


def test_pictures_are_png_files():
    rgb = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(png_of(rgb)))), rgb)


# --------------------------------------------------------------------------------------------------- many images


def test_a_grid_of_positions_is_an_explanation_that_adds_up(explanation):
    table = explanation.by_position((3, 2))
    assert isinstance(table, Explanation)
    assert table.local_importance_values.shape == (2, 3, 6)
    assert table.features[1] == "rows 0-7, columns 10-19"
    assert table.additivity_error < 1e-9
    np.testing.assert_allclose(table.local_importance_values[0, 1, 1], explanation.to_pixels()[0, 1, :8, 10:].sum())
    assert explanation.overall().num_features == 64
    for wrong in ((0, 3), 4, (2.5, 1)):
        with pytest.raises(InvalidInputError, match="'grid' parameter"):
            explanation.by_position(wrong)


def test_aligned_images_have_a_mean_and_others_are_told_apart():
    faces = image_cases.faces()[0]
    explainer = ImageExplainer(lambda x: x.mean(axis=(1, 2, 3)), n_segments=6, sampling=FEW)
    whole = data.cat()
    parts = np.stack([whole[row : row + 24, column : column + 24] for row in (0, 90, 200) for column in (0, 99, 300)])
    aligned, others = explainer.explain_global(faces[:8]), explainer.explain_global(parts)
    assert aligned.is_aligned
    assert "the mean over them shows the same parts" in aligned.notes[-1]
    assert not others.is_aligned
    assert "importance of positions, not of things" in others.notes[-1]
    np.testing.assert_allclose(aligned.mean_pixels(), aligned.to_pixels().mean(axis=1))


def test_means_over_the_images_of_a_class(explanation):
    largest = explanation.outputs.argmax(axis=0)
    label = explanation.labels[largest[0]]
    expected = explanation.to_pixels()[:, largest == largest[0]].mean(axis=1)
    np.testing.assert_allclose(explanation.mean_pixels(label), expected)
    with pytest.raises(InvalidInputError, match=r"There are values of \['upper', 'lower'\]\. Got 'left'"):
        explanation.mean_pixels("left")


# -------------------------------------------------------------------------------------------------------- promises


def test_explaining_changes_nothing_of_the_callers():
    network = image_cases.small_network(3, (24, 20)).train()
    images = np.moveaxis(COLOURS / np.float32(255), -1, 1).copy()
    before, state = images.copy(), np.random.get_state()[1].copy()
    explainer = ImageExplainer(network, n_segments=6, sampling=FEW)
    first = explainer.explain_local(images)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    assert network.training
    with ThreadPoolExecutor(2) as pool:
        for again in pool.map(explainer.explain_local, [images] * 4):
            np.testing.assert_array_equal(again.local_importance_values, first.local_importance_values)
    copied = pickle.loads(pickle.dumps(explainer)).explain_local(images)
    np.testing.assert_array_equal(copied.local_importance_values, first.local_importance_values)


def test_maskings_are_those_that_were_explained(explanation):
    explainer = ImageExplainer(image_cases.corners, n_segments=12, classes=["upper", "lower"], sampling=FEW)
    for number, masking in enumerate(explainer.maskings(explanation)):
        ends = np.array([np.zeros(masking.n_segments, bool), np.ones(masking.n_segments, bool)])
        outputs = masking.outputs(masking.masked(ends))
        np.testing.assert_allclose(outputs[0], explanation.base_values[:, number])
        np.testing.assert_allclose(outputs[1], explanation.outputs[:, number])


def test_pictures_of_large_images_are_reduced_on_pages():
    whole = data.astronaut()
    segments = np.arange(4).reshape(2, 2).repeat(256, axis=0).repeat(256, axis=1)
    made = ImageExplainer(lambda x: x.mean(axis=(1, 2, 3)), segments=segments).explain_local(whole)
    shown = [
        Image.open(BytesIO(base64.b64decode(one))) for one in re.findall(r"png;base64,([^\"]+)", made._repr_html_())
    ]
    assert [one.size for one in shown] == [(256, 256), (256, 256)]
    expected = whole.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(np.asarray(shown[0]), expected, atol=0.5)
    assert plot_image(made).get_images()[0].get_array().shape == (512, 512, 3), "figures keep their pixels"


def test_pages_do_not_invert_photographs_in_dark_mode(explanation, tmp_path):
    page = write_report(tmp_path / "report.html", explanation).read_text(encoding="utf-8")
    pictures = re.findall(r'<img alt="[^"]*" style="([^"]*)"', page[page.index('id="examples"') :])
    assert len(pictures) == 9
    assert all("filter:none" in style and "max-width:240px" in style for style in pictures)


def test_masks_of_zeros_and_ones_are_not_black():
    mask = (data.astronaut()[::8, ::8, 0] > 100).astype(np.uint8)
    made = ImageExplainer(lambda x: x.mean(axis=(1, 2)), n_segments=6).explain_local(mask)
    assert plot_image(made).get_images()[0].get_array().max() == 255
