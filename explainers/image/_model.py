"""A model as a function of images: described once, then asked about one image at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers.image._images import ImageForm, Images, shape_of
from automl_explain.explainers.model._explained_model import ExplainedModel, explained_model
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._model_call import model_call
from automl_explain.explainers.model._names import ClassNames
from automl_explain.explainers.model._registry import (
    NetworkOptions,
    describe,
    describe_tensor_function,
    is_plain_function,
    takes_examples,
)
from automl_explain.explainers.model._structures import Matrix
from automl_explain.explainers.neural._examples import Examples, as_examples
from automl_explain.explainers.neural._network import MixedForward, Network, PairRule
from automl_explain.explainers.tables._table import Table

FEW = 8
"""Images on which a model is called to find its outputs."""
BATCH_BYTES = 16 * 2**20
"""Memory of the masked images, in double precision, that a function gets at a time by default."""


@dataclass(frozen=True)
class ModelOptions:
    """How a model takes images, and which of its outputs is explained; `ImageExplainer` documents the fields."""

    output: str = "auto"
    classes: ClassNames | None = None
    preprocess: Callable[[Any], Any] | None = None
    device: str = "auto"
    batch_size: int | None = None

    def network(self, form: ImageForm) -> NetworkOptions:
        """Return the options of a network; the batch of a function has bounded memory."""
        size = self.batch_size or max(1, BATCH_BYTES // (8 * int(np.prod(form.shape))))
        return NetworkOptions(self.device, size, keeps_bytes=True)


def check_readings(model: Any, possible: tuple[Images, ...]) -> None:
    """Raise `InvalidInputError` if a function takes images that may be read as one or as several: it may take them both ways."""
    first, second = possible
    if is_plain_function(model) and len(first) != len(second):
        raise InvalidInputError(
            f"Images of the shape {first.form.shape} may be one image with channels first, or {len(second)} grey images. Pass "
            "channel_axis=0 (channels first) or channel_axis=None (grey images without channels)."
        )


def describe_images(model: Any, images: Images, given: Any, options: ModelOptions) -> ExplainedModel:
    """Describe a model as a function of images, flattened to tables.

    Networks and functions get arrays of the caller's layout; all other models, and everything if images are flat rows, get
    tables of cells.

    Parameters
    ----------
    model : object
    images : Images
        Some images.
    given : object
        The same images as the caller gave them, which tell a function of tensors from one of arrays.
    options : ModelOptions

    Raises
    ------
    UnsupportedModelError, NotFittedError
        If the model cannot be explained.
    InvalidInputError
        If it cannot take the images.
    """
    few = Images(images.pixels[:FEW], images.form)
    if options.preprocess is not None:
        described = _behind(options.preprocess, model, few, options)
    else:
        described = _described(model, few, given, options)
    flat = images.form.flat(few.pixels)
    if described.n_inputs not in (None, flat.shape[1]):
        raise InvalidInputError(
            f"{described.name} takes {described.n_inputs} numbers. An image of the shape {images.form.shape} has "
            f"{flat.shape[1]}: resize the images, or pass image_shape= for flat rows of pixels."
        )
    return explained_model(described, flat, classes=options.classes, output=options.output, feature_space="raw")


def takes_flat_pixels(model: Any, examples: Any) -> bool:
    """Whether a model takes rows of as many numbers as each example of an array of images has, such as of scikit-learn."""
    shape = shape_of(examples)
    if len(shape) not in (3, 4) or is_plain_function(model):
        return False
    wanted = getattr(model, "n_features_in_", None)
    if wanted is None and not takes_examples(model):
        wanted = describe(model).n_inputs
    return bool(wanted == np.prod(shape[1:]))


def _described(model: Any, few: Images, given: Any, options: ModelOptions) -> FittedModel:
    form = few.form
    flat = form.flat(few.pixels)
    if form.is_flat or (not is_plain_function(model) and hasattr(model, "n_features_in_")):
        return describe(model, flat)
    examples = _given(few)
    network = options.network(form)
    kind = given if hasattr(given, "shape") and hasattr(given, "device") else examples.arrays[0]
    try:
        function = describe_tensor_function(model, kind, examples, network)
    except InvalidInputError as error:
        if not error.quotes_model:
            raise
        raise InvalidInputError(
            f"{error} If it takes flat rows of pixels, pass image_shape={form.shape} to ImageExplainer."
        ) from error
    if function is not None:
        return function
    try:
        return describe(model, examples, replace(network, batch_size=options.batch_size))
    except InvalidInputError as error:
        if form.channels != "none":
            raise
        raise InvalidInputError(
            f"{error} The images were read as grey images of {form.shape} pixels without an axis of channels: if they have "
            "one, pass channel_axis=0 (channels first) or channel_axis=-1 (channels last)."
        ) from error


def _behind(preprocess: Callable[[Any], Any], model: Any, few: Images, options: ModelOptions) -> FittedModel:
    """Describe a model behind a function of images in the caller's layout, as a function of arrays."""
    form = few.form

    def prepared(batch: Any) -> Any:
        with model_call("The 'preprocess' function", "images"):
            return preprocess(batch)

    made = prepared(np.ascontiguousarray(form.given(few.pixels)))
    examples = as_examples(made, "The result of 'preprocess'")
    network = options.network(form)
    if is_plain_function(model):
        found = describe_tensor_function(lambda batch: model(prepared(batch)), np.empty(0), _given(few), network)
        assert found is not None
        return found
    inner = describe(model, examples, replace(network, batch_size=options.batch_size))
    space = inner.output_space if options.output == "auto" else options.output
    seen = inner.in_space(space)

    def predict(batch: Any) -> Matrix:
        return seen.predict(as_examples(prepared(batch), "The result of 'preprocess'", examples.inputs).flat())

    found = describe_tensor_function(predict, np.empty(0), _given(few), network)
    assert found is not None
    return replace(
        found, outputs={seen.output_space: found.predict}, output_space=seen.output_space, task=seen.task,
        classes=seen.classes, name=seen.name,
    )  # fmt: skip


def _given(few: Images) -> Examples:
    return Examples((np.ascontiguousarray(few.form.given(few.pixels)),), what="the images")


class Meter:
    """Moves a progress bar by the images evaluated, and at the end of each explained image to its whole share.

    Parameters
    ----------
    of_image : int
        Units of the bar for each explained image.
    advance : callable
    """

    def __init__(self, of_image: int, advance: Callable[[int], object]) -> None:
        self._of_image, self._advance, self._done = of_image, advance, 0

    def count(self, n_evaluated: int) -> None:
        """Count evaluations; those beyond the share of an image do not move the bar."""
        units = min(n_evaluated, self._of_image - self._done)
        self._done += units
        self._advance(units)

    def finish(self) -> None:
        """End an image."""
        self._advance(self._of_image - self._done)
        self._done = 0


def counted(explained: ExplainedModel, advance: Callable[[int], object]) -> ExplainedModel:
    """Return a model whose calls report the number of images evaluated."""
    model = explained.model
    structure = model.structure
    if isinstance(structure, Network):
        network = replace(structure, forward=_counting(structure.forward, advance))
        if structure.mixer is not None:
            mixer = structure.mixer

            def mixed(*given: Any) -> MixedForward:
                forward = mixer(*given)

                def count(row: Any, other: Any, present: Any) -> Matrix:
                    made = forward(row, other, present)
                    advance(len(row))
                    return made

                return count

            network = replace(network, mixer=mixed)
        return replace(explained, model=replace(model, structure=network))
    outputs = {space: _counting(predict, advance) for space, predict in model.outputs.items()}
    return replace(explained, model=replace(model, outputs=outputs))


def _counting(function: Callable[[Any], Matrix], advance: Callable[[int], object]) -> Callable[[Any], Matrix]:
    def call(given: Any) -> Matrix:
        made = function(given)
        advance(len(made))
        return made

    return call


class _OnceMade:
    """The rules of a network, which are made once for all images, or refused once."""

    def __init__(self, make: Callable[[int], PairRule]) -> None:
        self._make = make
        self._made: PairRule | None = None
        self._refused: UnsupportedModelError | None = None

    def __call__(self, n_pairs: int) -> PairRule:
        if self._refused is not None:
            raise self._refused
        if self._made is None:
            try:
                self._made = self._make(n_pairs)
            except UnsupportedModelError as error:
                self._refused = error
                raise
        return self._made


def one_at_a_time(explained: ExplainedModel) -> ExplainedModel:
    """Return a network whose rules for single operations are made once, for one pair of images."""
    structure = explained.model.structure
    if not isinstance(structure, Network) or structure.pair_rule is None:
        return explained
    network = replace(structure, rows_at_once=1, pair_rule=_OnceMade(structure.pair_rule))
    return replace(explained, model=replace(explained.model, structure=network))


def table_of(explained: ExplainedModel, form: ImageForm, pixels: Any, what: str) -> Table:
    """Return images (n, rows, columns, channels) as rows in the engineered columns of the model's last step."""
    return explained.read(form.flat(pixels), what).engineered
