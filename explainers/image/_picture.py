"""Pictures of image explanations: values as colours over the grey image, and PNG files of them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.compiled._arrays import Values
from automl_explain.explainers.formatting._colors import BAR_COLOR, LOWERING_COLOR
from automl_explain.explainers.formatting._numbers import number_text
from automl_explain.explainers.image._segments import in_unit_range
from automl_explain.explainers.image._values import ImageValues, pixels_of

Rgb = npt.NDArray[np.uint8]
"""(rows, columns, 3)."""

SHOWN_PIXELS = 240
"""Pixels of the shorter side of a picture, at least; smaller images are enlarged by a whole factor."""
PRINTED_PIXELS = 720
"""Pixels of the shorter side of a picture in print; images of twice as many are reduced by a whole factor."""
STRONGEST = 0.85
"""Opacity of the colour of the largest value."""
PALEST = 0.6
"""Lightness of black in the grey image, so that colours over it can be seen."""
CLIPPED = 99.5
"""Percentile of the absolute values of single pixels that has the strongest colour; single outliers would pale the rest."""
IMAGE = "image"
"""Title of the panel of the image itself."""
OUTLINE = 0.35
"""Opacity of the outlines of segments."""


@dataclass(frozen=True)
class Panel:
    """A picture and what it shows.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (rows, columns, 3)
        All panels of an image have the same shape.
    title : str
    """

    rgb: Rgb
    title: str


@dataclass(frozen=True)
class Panels:
    """The image, or nothing for a mean, and its values for some outputs on a common, symmetric scale.

    Parameters
    ----------
    panels : tuple of Panel
        The image itself first, if there is a single one.
    limit : float
        Value of the strongest colour, positive or negative.
    """

    panels: tuple[Panel, ...]
    limit: float


def panels_of_image(
    explanation: ImageValues, image: int, outputs: list[int], *, outlines: bool = True, pixels: int = PRINTED_PIXELS
) -> Panels:
    """Return the pictures of one image: itself, and its values for some outputs.

    Images with at least twice as many `pixels` on their shorter side are reduced by a whole factor.
    """
    picture, segments = explanation.images[image], explanation.segments[image]
    values = explanation.local_importance_values[:, image]
    is_pixels = explanation.level == "pixel"
    shown = [values[output][segments] for output in outputs]
    limit = _limit(np.stack(shown), clipped=is_pixels)
    size = _Size.of(segments.shape, pixels)
    edges = _edges(size.chosen(segments)) if outlines and not is_pixels else None
    grey = size.mean(_grey(picture))
    made = [Panel(np.asarray(np.rint(size.mean(_colours(picture))), dtype=np.uint8), IMAGE)]
    for output, of_pixels in zip(outputs, shown, strict=True):
        resized = size.mean(of_pixels) if is_pixels else size.chosen(of_pixels)
        rgb = _overlay(grey, resized, limit, edges)
        made.append(Panel(rgb, _title(explanation, output, image)))
    return Panels(tuple(made), limit)


def panels_of_mean(explanation: ImageValues, outputs: list[int], *, pixels: int = PRINTED_PIXELS) -> Panels:
    """Return the mean values of all images over the mean image, for some outputs."""
    mean = np.zeros((len(outputs), *explanation.segments.shape[1:]))
    grey = np.zeros(explanation.segments.shape[1:])
    for image in range(len(explanation)):
        mean += pixels_of(explanation, image)[outputs]
        grey += _grey(explanation.images[image])
    mean, grey = mean / len(explanation), grey / len(explanation)
    limit, size = _limit(mean, clipped=True), _Size.of(grey.shape, pixels)
    made = []
    for output, of_pixels in zip(outputs, mean, strict=True):
        title = "" if explanation.classes is None else f"{explanation.labels[output]}"
        made.append(Panel(_overlay(size.mean(grey), size.mean(of_pixels), limit, None), title))
    return Panels(tuple(made), limit)


def png_of(rgb: Rgb) -> bytes:
    """Return a picture as a PNG file."""
    rows, columns = rgb.shape[:2]
    lines = np.zeros((rows, 1 + 3 * columns), np.uint8)  # each line begins with the number of its filter, 0
    lines[:, 1:] = rgb.reshape(rows, -1)
    head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def strongest_outputs(explanation: ImageValues, image: int | None, n: int) -> list[int]:
    """Return the numbers of the n largest outputs of an image, or of the mean over images, the largest first."""
    outputs = explanation.outputs.mean(axis=1) if image is None else explanation.outputs[:, image]
    return [int(k) for k in np.argsort(-outputs, kind="stable")[:n]]


def _title(explanation: ImageValues, output: int, image: int) -> str:
    value = number_text(float(explanation.outputs[output, image]))
    if explanation.classes is None:
        return f"output {value}"
    return f"{explanation.classes[explanation.class_numbers[output, image]]}: {value}"


def _limit(values: Values, *, clipped: bool) -> float:
    sizes = np.abs(values)
    found = float(np.percentile(sizes, CLIPPED) if clipped else sizes.max())
    return found or float(sizes.max()) or 1.0


class _Size(NamedTuple):
    """Whole factors by which an image is enlarged or reduced; one of them is 1."""

    larger: int
    smaller: int

    @classmethod
    def of(cls, size: tuple[int, ...], pixels: int) -> _Size:
        return cls(max(1, -(-SHOWN_PIXELS // min(size))), max(1, min(size) // pixels))

    def chosen(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return an array (rows, columns) in this size, with the value of one pixel for each group of pixels."""
        chosen = array[self.smaller // 2 :: self.smaller, self.smaller // 2 :: self.smaller]
        rows, columns = (n // self.smaller for n in array.shape)
        return np.repeat(np.repeat(chosen[:rows, :columns], self.larger, axis=0), self.larger, axis=1)

    def mean(self, array: npt.NDArray[Any]) -> Values:
        """Return an array (rows, columns, ...) in this size, with the mean of each group of pixels."""
        step = self.smaller
        rows, columns = (n // step for n in array.shape[:2])
        parts = array[: rows * step, : columns * step].reshape(rows, step, columns, step, *array.shape[2:])
        made = parts.mean(axis=(1, 3), dtype=np.float64)
        return np.asarray(np.repeat(np.repeat(made, self.larger, axis=0), self.larger, axis=1))


def _grey(picture: npt.NDArray[Any]) -> Values:
    """Return an image as lightness between 0 and 1, (rows, columns)."""
    scaled = in_unit_range(picture)
    n_channels = scaled.shape[2]
    if n_channels in (3, 4):
        return np.asarray(scaled[..., :3] @ np.array([0.299, 0.587, 0.114]))
    return np.asarray(scaled.mean(axis=2))


def _colours(picture: npt.NDArray[Any]) -> Rgb:
    """Return an image as it looks; the mean of the bands where these are no colours."""
    scaled = in_unit_range(picture)
    coloured = scaled.shape[2] in (3, 4)
    shown = scaled[..., :3] if coloured else np.repeat(scaled.mean(axis=2, keepdims=True), 3, axis=2)
    return np.asarray(np.rint(255.0 * shown), dtype=np.uint8)


def _overlay(grey: Values, values: Values, limit: float, edges: npt.NDArray[np.bool_] | None) -> Rgb:
    """Return values as colours over a grey image: those that raise the output, and those that lower it."""
    base = (PALEST + (1.0 - PALEST) * grey)[..., None] * np.ones(3)
    strength = np.minimum(np.abs(values) / limit, 1.0)[..., None] * STRONGEST
    colour = np.where(values[..., None] >= 0.0, _rgb(BAR_COLOR), _rgb(LOWERING_COLOR))
    made = (1.0 - strength) * base + strength * colour
    if edges is not None:
        made[edges] = (1.0 - OUTLINE) * made[edges] + OUTLINE
    return np.asarray(np.rint(255.0 * made.clip(0.0, 1.0)), dtype=np.uint8)


def _rgb(colour: str) -> Values:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255.0


def _edges(segments: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    found = np.zeros(segments.shape, np.bool_)
    found[1:] |= segments[1:] != segments[:-1]
    found[:, 1:] |= segments[:, 1:] != segments[:, :-1]
    return found
