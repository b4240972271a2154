"""The values of an image explanation, with what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.compiled._arrays import Values
from automl_explain.explainers.explanation._kinds import KINDS, Kind
from automl_explain.explainers.formatting._names import counted
from automl_explain.explainers.image._images import ImageForm, Pixels

ALIGNED = 0.3
"""Mean correlation of images with the mean of the others from which they are taken to be aligned."""
COMPARED = 500
"""Most images that are compared for that."""


@dataclass(frozen=True, eq=False, repr=False)
class ImageValues:
    """Values of the segments of images; `ImageExplanation` documents the fields.

    Storage, conversion and pictures take this type; `ImageExplanation` adds methods that need those.
    """

    local_importance_values: Values
    base_values: Values
    outputs: Values
    segments: npt.NDArray[np.intp]
    images: Pixels
    form: ImageForm
    class_numbers: npt.NDArray[np.intp]
    classes: tuple[Any, ...] | None
    output_space: str
    method: str
    reason: str
    level: str = "segment"
    absent: str = ""
    standard_errors: Values | None = None
    notes: tuple[str, ...] = ()
    image_notes: tuple[tuple[str, ...], ...] = ()
    kind: Kind = "shapley"
    coalition_r2: Values | None = None
    is_global: bool = False
    model_kind: str | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit each other.

        Raises
        ------
        InvalidInputError
            If a shape differs from that of the values or the images, or a number of a segment or class is out of range.
        """
        values, images = self.local_importance_values, self.images
        if values.ndim != 3 or images.ndim != 4 or not values.size or len(images) != values.shape[1]:
            raise InvalidInputError(
                "The values must have the shape (C, n, P), and the images (n, rows, columns, channels). Got "
                f"{values.shape} and {images.shape}."
            )
        of_outputs = values.shape[:2]
        wanted = {
            "base_values": of_outputs,
            "outputs": of_outputs,
            "class_numbers": of_outputs,
            "segments": images.shape[:3],
            "standard_errors": values.shape,
            "coalition_r2": (values.shape[1],),
        }
        for name, shape in wanted.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise InvalidInputError(f"The {name!r} must have the shape {shape}. Got {array.shape}.")
        n_classes = 1 if self.classes is None else len(self.classes)
        for name, most in (("segments", values.shape[2]), ("class_numbers", n_classes)):
            numbers = getattr(self, name)
            if numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.max() >= most:
                raise InvalidInputError(f"The {name!r} must be whole numbers from 0 to {most - 1}.")
        if len(self.image_notes) not in (0, len(images)) or (*self.form.size, self.form.n_channels) != images.shape[1:]:
            raise InvalidInputError(
                f"The notes and the form must be those of {len(images)} images of the shape {images.shape[1:]}."
            )

    def __len__(self) -> int:
        return int(self.local_importance_values.shape[1])

    @property
    def num_examples(self) -> int:
        """Number of images n."""
        return len(self)

    @property
    def n_outputs(self) -> int:
        """Number of outputs C with values for each image."""
        return int(self.local_importance_values.shape[0])

    @cached_property
    def n_segments(self) -> npt.NDArray[np.intp]:
        """Number of segments of each image, (n,)."""
        return np.asarray(self.segments.max(axis=(1, 2)) + 1, dtype=np.intp)

    @property
    def expected_values(self) -> Values:
        """Mean base value of each output over the images, (C,)."""
        return np.asarray(self.base_values.mean(axis=1))

    @property
    def is_classification(self) -> bool:
        """Whether the outputs are classes."""
        return self.classes is not None

    @property
    def is_additive(self) -> bool:
        """Whether base value plus values of an image are the model's output for it; heat maps are not additive."""
        return KINDS[self.kind].is_additive

    @property
    def labels(self) -> list[Any]:
        """Labels of the outputs, or a list of them for each image if images have values of different classes.

        Without classes, the single label is "output".
        """
        if self.classes is None:
            return ["output"]
        every = [[self.classes[k] for k in numbers] for numbers in self.class_numbers.T.tolist()]
        return every[0] if self.same_classes else every

    @property
    def same_classes(self) -> bool:
        """Whether the outputs of all images are those of the same classes."""
        return bool((self.class_numbers == self.class_numbers[:, :1]).all())

    @property
    def additivity_error(self) -> float | None:
        """Largest gap between base value plus values and the model's output; None for heat maps."""
        if not self.is_additive:
            return None
        gaps = self.base_values + self.local_importance_values.sum(axis=-1) - self.outputs
        return float(np.abs(gaps).max())

    @checked
    def to_pixels(self, *, spread: bool = True) -> Values:
        """Return the values as images, (C, n, rows, columns).

        Parameters
        ----------
        spread : bool, default True
            Share the value of a segment equally among its pixels, so that the sum over the pixels is that over the segments.
            If False, each pixel has the whole value of its segment.

        Returns
        -------
        ndarray of shape (C, n, rows, columns)
            In units of `output_space`; C is 1 for a regression.
        """
        values = self.local_importance_values
        flat = self.segments.reshape(len(self), -1)
        if spread:
            n_pixels = np.stack([np.bincount(one, minlength=values.shape[2]) for one in flat])
            values = values / np.maximum(n_pixels, 1)
        found = np.take_along_axis(values, np.broadcast_to(flat, (len(values), *flat.shape)), axis=2)
        return np.asarray(found.reshape(len(values), *self.segments.shape))

    @checked
    def of_class(self, label: Any) -> int:
        """Return the position of a class among the outputs.

        Parameters
        ----------
        label : object
            One of `labels`.

        Returns
        -------
        int
            Its place on the first axis of the values.

        Raises
        ------
        InvalidInputError
            If no output is that class, or images have values of different classes.
        """
        if not self.same_classes:
            raise InvalidInputError("The images have values of different classes: choose an image first, such as e[0].")
        if label not in self.labels:
            raise InvalidInputError(
                f"There are values of {self.labels}. Got {label!r}: raise top_classes to explain more classes."
            )
        return self.labels.index(label)

    @cached_property
    def alignment(self) -> float:
        """Mean correlation of an image with the mean of the others; 0 for a single image.

        Images that show the same thing at the same place, such as portraits, have a high one.
        """
        grey = self.images.mean(axis=-1, dtype=np.float64).reshape(len(self), -1)
        if len(grey) < 2:
            return 0.0
        grey = grey[np.unique(np.linspace(0, len(grey) - 1, COMPARED).astype(np.intp))]
        others = (grey.sum(axis=0) - grey) / (len(grey) - 1)
        both = [part - part.mean(axis=1, keepdims=True) for part in (grey, others)]
        sizes = np.prod([np.sqrt((part**2).sum(axis=1)) for part in both], axis=0)
        products = (both[0] * both[1]).sum(axis=1)
        return float(np.divide(products, sizes, out=np.zeros_like(sizes), where=sizes > 0.0).mean())

    @property
    def is_aligned(self) -> bool:
        """Whether `alignment` is at least 0.3, so that a mean over images shows the same parts of things."""
        return self.alignment >= ALIGNED

    @checked
    def mean_pixels(self, label: Any = None) -> Values:
        """Return the mean of `to_pixels` over images, (C, rows, columns), for pictures of aligned images.

        Parameters
        ----------
        label : optional
            Only images for which the model's largest output, of those explained, is this class. Default: all images.

        Returns
        -------
        ndarray of shape (C, rows, columns)
            In units of `output_space`.

        Raises
        ------
        InvalidInputError
            If images have values of different classes, or none is of this class.
        """
        if not self.same_classes:
            raise InvalidInputError(
                "The images have values of different classes. explain_global gives all the same ones."
            )
        chosen = np.ones(len(self), bool) if label is None else self.outputs.argmax(axis=0) == self.of_class(label)
        if not chosen.any():
            raise InvalidInputError(f"No image has {label!r} as its largest output.")
        total = np.zeros((self.n_outputs, *self.segments.shape[1:]))
        for image in np.flatnonzero(chosen):
            total += pixels_of(self, int(image))
        return total / int(chosen.sum())

    def __repr__(self) -> str:
        rows, columns = self.segments.shape[1:]
        n_outputs = f" x {self.n_outputs} classes" if self.is_classification else ""
        what = "a heat map, not additive" if not self.is_additive else f"{self.output_space}"
        return (
            f"ImageExplanation({counted(len(self), 'image')} of {rows} x {columns} pixels, up to {self.n_segments.max()} "
            f"{self.level}s{n_outputs}, {what}, by {self.method})"
        )


def pixels_of(values: ImageValues, image: int) -> Values:
    """Return the values of one image, shared among the pixels of each segment, (C, rows, columns)."""
    segments = values.segments[image]
    n_pixels = np.bincount(segments.reshape(-1), minlength=values.local_importance_values.shape[2])
    return np.asarray((values.local_importance_values[:, image] / np.maximum(n_pixels, 1))[:, segments])
