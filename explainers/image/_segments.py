"""Segments of images: superpixels, a grid, or those of the caller."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import array_of
from automl_explain.explainers._errors import InvalidInputError, MissingExtraError
from automl_explain.explainers.image._images import Pixels

Segments = npt.NDArray[np.intp]
"""(rows, columns): the number of each pixel's segment, from 0, without gaps."""

GRID_BELOW = 16
"""Rows or columns below which an image is divided into a grid: superpixels of so few pixels are no shapes."""
SMALLEST = 0.25
"""Smallest segment, as a share of the mean size wanted; SLIC joins smaller ones to others. Its default of 0.5 leaves few."""
FEW_LEVELS = 32
"""Largest byte below which bytes are not those of a photograph, such as masks of 0 and 1 or digits of 16 levels."""
GREY_COMPACTNESS, COLOR_COMPACTNESS = 0.1, 10.0
"""Weight of distance against difference in colour: of grey images and single bands in [0, 1], and of colours in Lab."""


class Segmented(NamedTuple):
    """Segments of an image, and a note on how they came about, or an empty text."""

    segments: Segments
    note: str


def find_segments(image: Pixels, n_segments: int) -> Segmented:
    """Return superpixels of an image (rows, columns, channels), by SLIC; a grid for small images or if there is one region.

    Parameters
    ----------
    image : ndarray, shape (rows, columns, channels)
    n_segments : int
        Number of segments wanted. SLIC often finds fewer.

    Raises
    ------
    MissingExtraError
        If scikit-image is not installed.

    References
    ----------
    Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", doi:10.1109/TPAMI.2012.120.
    """
    rows, columns = image.shape[:2]
    if min(rows, columns) < GRID_BELOW:
        return Segmented(
            grid(rows, columns, n_segments), f"images of {rows} x {columns} pixels are divided into a grid"
        )
    found = _superpixels(image, n_segments)
    if found.max() == 0 and n_segments > 1:
        return Segmented(
            grid(rows, columns, n_segments),
            "the image has a single region for SLIC, so that it is divided into a grid",
        )
    return Segmented(found, "")


def grid(rows: int, columns: int, n_segments: int) -> Segments:
    """Return about `n_segments` rectangles of nearly equal size."""
    n_rows = int(np.clip(round(np.sqrt(n_segments * rows / columns)), 1, rows))
    n_columns = int(np.clip(round(n_segments / n_rows), 1, columns))
    return np.asarray(
        (np.arange(rows) * n_rows // rows)[:, None] * n_columns + np.arange(columns) * n_columns // columns
    )


def read_segments(given: Any, size: tuple[int, int], n_images: int) -> Segments:
    """Return the caller's segments of each image, (n, rows, columns), numbered from 0 in the order of their labels.

    Raises
    ------
    InvalidInputError
        If they are not whole numbers, or have another shape than the images.
    """
    array = array_of(given, "The 'segments' parameter must hold a whole number for each pixel")
    shapes = (size, (n_images, *size))
    if array.dtype.kind not in "iub" or array.shape not in shapes:
        raise InvalidInputError(
            f"The 'segments' parameter must hold a whole number for each pixel: an array of shape {size} for all images, or "
            f"(n, {size[0]}, {size[1]}) with those of each of {n_images}, or a function from an image to such an array. Got "
            f"{'an array of shape ' + str(array.shape) + ' and dtype ' + str(array.dtype) if array.ndim else repr(given)}."
        )
    if array.ndim == 2:
        return np.broadcast_to(renumbered(array), (n_images, *size))
    return np.stack([renumbered(one) for one in array])


def renumbered(labels: npt.NDArray[Any]) -> Segments:
    """Return labels (rows, columns) as numbers from 0, without gaps, in ascending order."""
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.intp)


def _superpixels(image: Pixels, n_segments: int) -> Segments:
    try:
        from skimage.segmentation import slic
    except ImportError as error:
        raise MissingExtraError(
            "Superpixels need scikit-image: pip install 'automl-explain[image]'. Without it, pass your own segments."
        ) from error
    scaled = in_unit_range(image)
    n_channels = image.shape[2]
    usual = {"start_label": 0, "min_size_factor": SMALLEST}
    if n_channels == 1:
        found = slic(scaled[..., 0], n_segments, GREY_COMPACTNESS, channel_axis=None, **usual)
    elif n_channels in (3, 4):  # the colours without opacity
        found = slic(scaled[..., :3], n_segments, COLOR_COMPACTNESS, channel_axis=-1, **usual)
    else:  # bands, whose squared differences add up
        compactness = GREY_COMPACTNESS * np.sqrt(n_channels)
        found = slic(scaled, n_segments, compactness, channel_axis=-1, convert2lab=False, **usual)
    return renumbered(found)


def in_unit_range(image: Pixels) -> npt.NDArray[np.float64]:
    """Return an image with pixels between 0 and 1: bytes by 255, other numbers by the range of the image."""
    made = image.astype(np.float64)
    if image.dtype == np.uint8 and made.max() >= FEW_LEVELS:
        return np.asarray(made / 255.0)
    low, high = made.min(), made.max()
    if low >= 0.0 and high <= 1.0:
        return made
    return np.asarray((made - low) / ((high - low) or 1.0))
