"""`ImageExplainer`: values of segments or pixels of images."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._pickling import Picklable
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.formatting._names import counted as counted_noun
from automl_explain.explainers.image._absent import absent_maker, check_absent
from automl_explain.explainers.image._attribution import (
    ImageAttribution,
    Masking,
    attribute,
    check_method,
    chosen_outputs,
    errors_of,
    outputs_of,
    padded,
)
from automl_explain.explainers.image._explanation import ImageExplanation
from automl_explain.explainers.image._gradcam import heat_maps
from automl_explain.explainers.image._images import ImageForm, Images, read_shape, readings
from automl_explain.explainers.image._model import (
    Meter,
    ModelOptions,
    check_readings,
    counted,
    describe_images,
    one_at_a_time,
)
from automl_explain.explainers.image._segments import Segmented, find_segments, read_segments
from automl_explain.explainers.methods._settings import SamplingOptions, Settings, read_settings
from automl_explain.explainers.model._explained_model import ExplainedModel
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._model_call import model_call
from automl_explain.explainers.model._names import ClassNames
from automl_explain.explainers.tables._table import Table

EVALUATIONS = 512
"""Coalitions of each image by default."""


class ImageExplainer(Picklable):
    """Explains models of images by the values of their segments, or of their pixels.

    An image is divided into segments: superpixels, a grid for images of less than 16 rows or columns, or segments of your
    own. The value of a segment is its Shapley value in the game in which absent segments look like an image without content,
    such as a blurred one. The base value of an image is the model's output for that image.

    The model's structure decides how the values are computed. Trees and linear models on flat pixels are explained exactly.
    Networks and functions are explained from the outputs of coalitions, with standard errors. At ``level="pixel"``, networks
    are explained approximately by their gradients: the rescale rule if all operations have one, otherwise gradients along
    the path from the absent image.

    Parameters
    ----------
    model : object
        A network of PyTorch or Keras; a function from images (n, ...) to outputs (n,) or (n, K); or an estimator on flat
        pixels, such as of scikit-learn.
    segments : array of int, shape (rows, columns) or (n, rows, columns), or callable, optional
        Segments of your own, of all images or of each image, as numbers in any order; or a function from an image in your
        layout to such an array. Default: superpixels by SLIC, or a grid.
    n_segments : int, default 30
        Number of segments wanted. SLIC often finds fewer.
    absent : {"blur", "mean", "inpaint"}, or array, default "blur"
        What absent segments look like: blurred with a standard deviation of an eighth of the shorter side; the mean colour
        of the image; continued from the pixels around the segment by biharmonic equations; an image; or several background
        images, (B, ...), over which the outputs are averaged.
    level : {"segment", "pixel"}, default "segment"
        Whether segments or single pixels get values.
    method : {"auto", "coalitions", "rescale", "path", "gradcam"}, default "auto"
        For networks. "auto" is coalitions for segments, and the rescale rule or the path for pixels. "gradcam" is a heat map
        of a layer of a `torch.nn.Module`, which does not add up to the output; it needs `layer`.
    layer : str, optional
        Layer for Grad-CAM, by its name in the module. The error for an unknown name lists the layers there are.
    channel_axis : {"auto", None, -1, 0}, default "auto"
        Axis of the channels in an image: None for grey images without one, -1 for channels last, 0 for channels first. "auto"
        takes the last axis if it has 1, 3 or 4 channels, otherwise the first one if that has. Images of any other number of
        channels need the axis.
    image_shape : tuple of int, optional
        Shape of an image, such as (28, 28), if the model takes flat rows of pixels. Images may then be given as flat rows
        too. Not needed for estimators of scikit-learn.
    preprocess : callable, optional
        Function from a batch of images in your layout to what the model takes. Segments are masked before it.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values, as in `TabularExplainer`.
    classes : sequence or mapping, optional
        Class names, in the model's order, or ``{label: name}``.
    top_classes : int, default 5
        Classes explained. If a model has more, those with the largest outputs of each image are explained. All targets of a
        regression are explained.
    device : str, default "auto"
        Device of a network, such as "cuda".
    batch_size : int, optional
        Images per call of a network or function. Default: as many as fit in bounded memory.
    sampling : SamplingOptions, optional
        `nsamples` coalitions of each image, 512 by default. With a `tolerance`, evaluation stops as soon as the standard
        errors are small enough; with a `time_budget`, the images of a call share it. `max_evaluations` counts for each image.
    random_state : int, default 0
        Seed of sampled coalitions.
    n_jobs : int, optional
        Threads of compiled kernels. Default: all cores.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Raises
    ------
    InvalidInputError
        If a parameter is not valid.

    References
    ----------
    Lundberg and Lee, "A unified approach to interpreting model predictions", arXiv 1705.07874; Achanta et al., "SLIC
    superpixels compared to state-of-the-art superpixel methods", doi:10.1109/TPAMI.2012.120.

    Examples
    --------
    >>> import numpy as np
    >>> from automl_explain import ImageExplainer
    >>> def brightness(images):  # of the left half
    ...     return images[:, :, :16].mean(axis=(1, 2, 3)) / 255
    >>> images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    >>> halves = np.repeat([[0, 1]], 32, axis=0).repeat(16, axis=1)
    >>> explanation = ImageExplainer(brightness, segments=halves, absent=np.zeros((32, 32, 3))).explain_local(images)
    >>> explanation.local_importance_values[0].round(2)
    array([[0.5, 0. ],
           [0.5, 0. ]])
    """

    @checked
    def __init__(
        self,
        model: Any,
        *,
        segments: Any = None,
        n_segments: int = 30,
        absent: Any = "blur",
        level: str = "segment",
        method: str = "auto",
        layer: str | None = None,
        channel_axis: Any = "auto",
        image_shape: tuple[int, ...] | None = None,
        preprocess: Callable[[Any], Any] | None = None,
        output: str = "auto",
        classes: ClassNames | None = None,
        top_classes: int = 5,
        device: str = "auto",
        batch_size: int | None = None,
        sampling: SamplingOptions | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
        progress: bool | None = None,
    ) -> None:
        check_absent(absent)
        check_method(level, method, layer)
        self._given, self._segments, self._n_segments = model, segments, int(n_segments)
        self._absent, self._level, self._method, self._layer = absent, level, method, layer
        self._channel_axis, self._image_shape = channel_axis, read_shape(image_shape)
        self._options = ModelOptions(output, classes, preprocess, device, batch_size)
        self._top_classes = int(top_classes)
        self._settings = _with_default(read_settings(sampling, random_state, n_jobs, progress))
        self._described: tuple[ImageForm, ExplainedModel] | None = None

    def explain_local(self, images: Any) -> ImageExplanation:
        """Explain each image.

        Parameters
        ----------
        images : array, tensor, or list of them
            One image or n images of the same shape: (n, rows, columns), (n, rows, columns, channels) or (n, channels, rows,
            columns), as the model or `preprocess` takes them; bytes or floats.

        Returns
        -------
        ImageExplanation
            The value of each segment of each image.

        Raises
        ------
        InvalidInputError
            If they are not images, hold NaN, or the model, the segments or the absent image do not match them.
        UnsupportedModelError
            If the model cannot be explained, or not by the method.
        MissingExtraError
            If superpixels are needed and scikit-image is not installed.
        AdditivityError
            If the values do not add up to the outputs.
        """
        return self._explain(images, common=False)

    def explain_global(self, images: Any) -> ImageExplanation:
        """Explain a set of images, all for the same classes.

        The mean over images, `ImageExplanation.mean_pixels`, shows what matters where things are at the same place in all
        images, such as portraits: `ImageExplanation.is_aligned` says whether they seem to be, and a note repeats it. For
        other images, `ImageExplanation.by_position` tells the importance of parts of the picture, by class.

        Parameters
        ----------
        images : array, tensor, or list of them
            As in `explain_local`.

        Returns
        -------
        ImageExplanation
            With the values of each image. With more classes than `top_classes`, those are explained whose largest outputs
            are most frequent.

        Raises
        ------
        InvalidInputError, UnsupportedModelError, MissingExtraError, AdditivityError
            As in `explain_local`.
        """
        found = self._explain(images, common=True)
        said = (
            f"the images are aligned (mean correlation {found.alignment:.2f} with the mean of the others): the mean over them "
            "shows the same parts"
            if found.is_aligned
            else f"the images are not aligned (mean correlation {found.alignment:.2f} with the mean of the others): the mean "
            "over them tells the importance of positions, not of things"
        )
        return replace(found, notes=(*found.notes, said), is_global=True)

    def describe(self, images: Any) -> tuple[FittedModel, Table]:
        """Return the description of the model, as a function of flattened images, and some images as such a table.

        Parameters
        ----------
        images : array, tensor, or list of them
            As in `explain_local`.

        Returns
        -------
        tuple of FittedModel and Table
            The model over flattened images, and the images as its rows.
        """
        read, explained = self._read(images)
        return explained.model, Table(read.form.flat(read.pixels))

    def maskings(self, explanation: ImageExplanation) -> list[Masking]:
        """Return, for each image of an explanation, the image, its segments and its absent image, with the model.

        `Masking.masked` makes images with only some segments present, and `Masking.outputs` evaluates them: what measures of
        faithfulness need.

        Parameters
        ----------
        explanation : ImageExplanation
            What this explainer returned.

        Returns
        -------
        list of Masking
            One per image.
        """
        images = Images(explanation.images, explanation.form)
        explained = self._described_for(images, None)
        make, _ = absent_maker(self._absent, images)
        return [
            self._masking(explained, images, image, explanation.segments[image], make) for image in range(len(images))
        ]

    # ---------------------------------------------------------------- private

    def _explain(self, given: Any, *, common: bool) -> ImageExplanation:
        images, explained = self._read(given)
        segmented = self._segmented(images)
        make, absent = absent_maker(self._absent, images)
        by_pixel = self._level == "pixel" or self._method == "gradcam"
        pixels = np.arange(int(np.prod(images.form.size))).reshape(images.form.size)
        outputs = outputs_of(explained, images)
        numbers = chosen_outputs(outputs.T, self._top(explained), common=common)
        started, found, segments = time.monotonic(), [], []
        of_image = self._settings.sampling.nsamples or EVALUATIONS
        with progress_bar(len(images) * of_image, _said(len(images)), self._settings.progress) as advance:
            meter = Meter(of_image, advance)
            model = counted(one_at_a_time(explained) if by_pixel else explained, meter.count)
            for image in range(len(images)):
                own = pixels if by_pixel else segmented[image].segments
                masking = self._masking(model, images, image, own, make)
                settings = self._share(len(images) - image, time.monotonic() - started)
                if self._method == "gradcam":
                    found.append(heat_maps(masking, self._layer, outputs[image], numbers[:, image]))
                else:
                    asked = settings, self._method, outputs[image], numbers[:, image]
                    found.append(attribute(masking, *asked, by_pixel=by_pixel))
                meter.finish()
                segments.append(own)
        notes = () if by_pixel else _notes([one.note for one in segmented])
        return self._explanation(explained, images, found, np.stack(segments), absent, notes, numbers)

    def _masking(
        self, model: ExplainedModel, images: Images, image: int, segments: npt.NDArray[np.intp], make: Any
    ) -> Masking:
        own = images.pixels[image]
        absent = images.form.fitted(np.asarray(make(own, segments)))
        return Masking(model, images.form, own, absent, segments)

    def _read(self, given: Any) -> tuple[Images, ExplainedModel]:
        """Return the images and the model as a function of them, which decides between two ways of reading them."""
        possible = readings(given, "The images", self._channel_axis, self._image_shape)
        known = None if self._described is None else self._described[0]
        possible = next(((images,) for images in possible if images.form == known), possible)
        if len(possible) > 1:
            check_readings(self._given, possible)
        refused: InvalidInputError | None = None
        for images in possible:
            try:
                return images, self._described_for(images, given)
            except InvalidInputError as error:
                refused = refused or error
        assert refused is not None
        raise refused

    def _described_for(self, images: Images, given: Any) -> ExplainedModel:
        """Return the model as a function of images of this form; it is described once for images of the same form."""
        if self._described is None or self._described[0] != images.form:
            self._described = images.form, describe_images(self._given, images, given, self._options)
        return self._described[1]

    def _segmented(self, images: Images) -> Sequence[Segmented]:
        given, size = self._segments, images.form.size
        if self._level == "pixel" or self._method == "gradcam":
            return []
        if given is None:
            return [find_segments(image, self._n_segments) for image in images.pixels]
        if callable(given):
            with model_call("The function of 'segments'", "the images"):
                parts = [given(image) for image in images.form.given(images.pixels)]
            return [Segmented(read_segments(part, size, 1)[0], "") for part in parts]
        return [Segmented(one, "") for one in read_segments(given, size, len(images))]

    def _top(self, explained: ExplainedModel) -> int | None:
        """Return the number of outputs that are explained; None for the targets of a regression, which have no common unit."""
        is_regression = explained.model.task == "multitarget" and explained.model.output_space == "response"
        return None if is_regression else self._top_classes

    def _share(self, n_left: int, seconds: float) -> Settings:
        """Return the settings for the next image, which gets its share of the time left."""
        budget = self._settings.sampling.time_budget
        settings = replace(self._settings, progress=False)
        if budget is None:
            return settings
        return settings.with_sampling(time_budget=max(1e-3, (budget - seconds) / n_left))

    def _explanation(
        self,
        explained: ExplainedModel,
        images: Images,
        found: list[ImageAttribution],
        segments: npt.NDArray[np.intp],
        absent: str,
        notes: tuple[str, ...],
        numbers: npt.NDArray[np.intp],
    ) -> ImageExplanation:
        r2 = [np.nan if one.coalition_r2 is None else one.coalition_r2 for one in found]
        has_errors = any(one.standard_errors is not None for one in found)
        is_heat = self._method == "gradcam"
        own = [one.notes for one in found]
        shared = tuple(note for note in own[0] if all(note in notes_of for notes_of in own))
        return ImageExplanation(
            local_importance_values=padded([one.values for one in found]),
            base_values=np.stack([one.base_values for one in found], axis=1),
            outputs=np.stack([one.outputs for one in found], axis=1),
            segments=segments,
            images=images.pixels,
            form=images.form,
            class_numbers=numbers,
            classes=explained.classes,
            output_space=explained.model.output_space,
            method=found[0].method,
            reason=found[0].reason,
            level="pixel" if is_heat else self._level,
            absent="" if is_heat else absent,
            standard_errors=padded([errors_of(one) for one in found]) if has_errors else None,
            notes=(*notes, *shared),
            image_notes=tuple(tuple(note for note in notes_of if note not in shared) for notes_of in own),
            kind="heat_map" if is_heat else "shapley",
            coalition_r2=None if np.isnan(r2).all() else np.array(r2),
        )


def _said(n_images: int) -> str:
    return f"explaining {counted_noun(n_images, 'image')}"


def _notes(notes: list[str]) -> tuple[str, ...]:
    """Return different notes once, with the number of images that they hold for if it is not all."""
    counts = {note: notes.count(note) for note in dict.fromkeys(notes) if note}
    return tuple(
        note if count == len(notes) else f"{note} ({count} of {len(notes)} images)" for note, count in counts.items()
    )


def _with_default(settings: Settings) -> Settings:
    sampling = settings.sampling
    if sampling.nsamples is None and sampling.max_evaluations is None:
        return settings.with_sampling(nsamples=EVALUATIONS)
    return settings
