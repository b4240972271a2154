"""What absent segments look like: a blurred image, the mean colour, an inpainted image, or images of the caller."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from automl_explain.explainers._arguments import nearest
from automl_explain.explainers._errors import InvalidInputError, MissingExtraError
from automl_explain.explainers.compiled._thread_pools import one_thread_per_product
from automl_explain.explainers.image._images import Images, Pixels, conform_images, read_images
from automl_explain.explainers.image._segments import Segments

BLUR_SHARE = 8.0
"""The standard deviation of the blur is the shorter side divided by this."""
OTHER_RANGE = 2.0
"""Multiple of the range of the images beyond which absent pixels are in another unit, such as bytes and fractions."""

Absent = Callable[[Pixels, Segments], npt.NDArray[Any]]
"""From an image (rows, columns, channels) and its segments to the absent image, or several: (B, rows, columns, channels)."""


def blurred(image: Pixels, segments: Segments) -> npt.NDArray[Any]:
    """Return the image under a Gaussian blur whose standard deviation is an eighth of the shorter side."""
    n_rows, n_columns = image.shape[:2]
    sigma = min(n_rows, n_columns) / BLUR_SHARE
    with one_thread_per_product():
        along = np.tensordot(image.astype(np.float64), _blur_weights(n_columns, sigma), axes=(1, 1))
        made = np.tensordot(_blur_weights(n_rows, sigma), along, axes=1)
    return np.ascontiguousarray(made.transpose(0, 2, 1))[None]


@lru_cache(maxsize=4)
def _blur_weights(size: int, sigma: float) -> npt.NDArray[np.float64]:
    """Return the weight of each pixel of a line in each blurred one; products with it are faster than so wide a filter."""
    return np.asarray(ndimage.gaussian_filter1d(np.eye(size), sigma, axis=0, mode="nearest"))


def mean_colour(image: Pixels, segments: Segments) -> npt.NDArray[Any]:
    """Return an image whose pixels all have the mean of each channel."""
    return np.broadcast_to(image.mean(axis=(0, 1), dtype=np.float64), image.shape)[None]


def inpainted(image: Pixels, segments: Segments) -> npt.NDArray[Any]:
    """Return the image with each segment continued from the pixels around it, by biharmonic equations.

    References
    ----------
    Damelin and Hoang, "On surface completion and image inpainting by biharmonic functions", doi:10.1155/2018/3950312.
    """
    try:
        from skimage.restoration import inpaint_biharmonic
    except ImportError as error:
        raise MissingExtraError("absent='inpaint' needs scikit-image: pip install 'automl-explain[image]'") from error
    low, high = float(image.min()), float(image.max())
    scaled = (image.astype(np.float64) - low) / ((high - low) or 1.0)
    made = np.empty_like(scaled)
    for number in range(segments.max() + 1):
        inside = segments == number
        if inside.all():  # nothing around it to continue
            return mean_colour(image, segments)
        made[inside] = inpaint_biharmonic(scaled, inside, channel_axis=-1)[inside]
    return np.asarray(low + made.clip(0.0, 1.0) * (high - low))[None]


ABSENT: dict[str, Absent] = {"blur": blurred, "mean": mean_colour, "inpaint": inpainted}
"""Value of the 'absent' parameter -> function that makes the absent image."""
MEANING = {
    "blur": "absent segments are blurred",
    "mean": "absent segments have the mean colour of the image",
    "inpaint": "absent segments are continued from the pixels around them",
}


def check_absent(absent: Any) -> None:
    """Raise `InvalidInputError` unless the parameter is a known name or an array."""
    if isinstance(absent, str):
        if absent not in ABSENT:
            guess = nearest(absent, list(ABSENT))
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise InvalidInputError(
                f"The 'absent' parameter must be one of {list(ABSENT)}, an image, or background images. Got {absent!r}.{hint}"
            )
    elif not _n_axes(absent):
        raise InvalidInputError(
            f"The 'absent' parameter must be one of {list(ABSENT)}, an image, or background images. Got {absent!r}."
        )


def _n_axes(absent: Any) -> int:
    """Return the axes of an array or list; 0 for what is none."""
    try:
        return np.ndim(absent)
    except (ValueError, TypeError, MemoryError, RecursionError):
        return 0  # such as a list of images of several shapes


def absent_maker(absent: Any, images: Images) -> tuple[Absent, str]:
    """Return the function that makes absent images, and what it does in words.

    Parameters
    ----------
    absent : str, or array of one image or of B background images
    images : Images
        The images to explain, whose form the array must have.

    Raises
    ------
    InvalidInputError
        If an array has another shape or range than the images.
    """
    if isinstance(absent, str):
        return ABSENT[absent], MEANING[absent]
    form = images.form
    channel_axis = {"none": None, "first": 0, "last": -1}[form.channels]
    given = read_images(absent, "The 'absent' image", channel_axis, form.shape if form.is_flat else None)
    own = conform_images(given, form, "The 'absent' image").pixels
    low, high = float(images.pixels.min()), float(images.pixels.max())
    if own.min() < low - OTHER_RANGE * (high - low) - 1e-9 or own.max() > high + OTHER_RANGE * (high - low) + 1e-9:
        limits = np.iinfo(form.dtype) if np.dtype(form.dtype).kind in "iu" else None
        if high > low and (limits is None or own.min() < limits.min or own.max() > limits.max):
            raise InvalidInputError(
                f"The 'absent' image must have the range of the images, with pixels between {low:g} and {high:g}. Got pixels "
                f"between {float(own.min()):g} and {float(own.max()):g}: scale both alike."
            )
    what = "the given image" if len(own) == 1 else f"each of {len(own)} background images"
    return (lambda image, segments: own), f"absent segments come from {what}"
