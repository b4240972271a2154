"""Images as the caller gives them, and as arrays (n, rows, columns, channels)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import array_of, off_device
from automl_explain.explainers._errors import InvalidInputError

Pixels = npt.NDArray[Any]
"""(n, rows, columns, channels)."""

COLOR_CHANNELS = (1, 3, 4)
"""Numbers of channels by which their axis is found: grey, RGB, RGBA."""
LAST, FIRST = (-1, 2, 3), (0, 1, -3)
"""Values of `channel_axis` for channels after and before the rows and columns, counted with or without the axis of images."""
FEWEST_PIXELS = 16
"""Rows and columns from which on arrays of four axes are taken for images."""
FORMS = (
    "Images are arrays of shape (n, rows, columns), (n, rows, columns, channels) or (n, channels, rows, columns), or a single "
    "image without the first axis"
)


@dataclass(frozen=True)
class ImageForm:
    """How images are laid out where the caller and the model see them.

    Parameters
    ----------
    shape : tuple of int
        Shape of one image, such as (3, 32, 32).
    channels : {"none", "first", "last"}
        Place of the axis of channels.
    dtype : str
        Name of the numpy dtype.
    is_flat : bool
        Whether the caller gives flat rows of pixels.
    """

    shape: tuple[int, ...]
    channels: str
    dtype: str
    is_flat: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Number of rows and of columns of pixels."""
        rows, columns = self.shape[1:] if self.channels == "first" else self.shape[:2]
        return rows, columns

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return {"none": 1, "first": self.shape[0], "last": self.shape[-1]}[self.channels]

    def given(self, pixels: Pixels) -> npt.NDArray[Any]:
        """Return pixels (n, rows, columns, channels) in the caller's layout, (n, *shape)."""
        if self.channels == "none":
            return pixels[..., 0]
        return np.moveaxis(pixels, -1, 1) if self.channels == "first" else pixels

    def pixels(self, given: npt.NDArray[Any]) -> Pixels:
        """Return images in the caller's layout, (n, *shape), as (n, rows, columns, channels)."""
        if self.channels == "none":
            return given[..., None]
        return np.moveaxis(given, 1, -1) if self.channels == "first" else given

    def cells(self, of_pixel: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return the number of each cell of an image in the caller's layout, flat, given that of its pixel (rows, columns)."""
        whole = np.broadcast_to(of_pixel[None, ..., None], (1, *of_pixel.shape, self.n_channels))
        return np.array(self.given(whole)).reshape(-1)

    def flat(self, pixels: Pixels) -> npt.NDArray[np.float64]:
        """Return pixels as a table of cells in the caller's layout, (n, f)."""
        return np.ascontiguousarray(self.given(pixels), dtype=np.float64).reshape(len(pixels), -1)

    def fitted(self, pixels: npt.NDArray[Any]) -> Pixels:
        """Return pixels in the dtype of the images: rounded and cut off if it holds whole numbers."""
        kind = np.dtype(self.dtype)
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            pixels = np.clip(np.rint(pixels), limits.min, limits.max)
        return pixels.astype(kind, copy=False)


@dataclass(frozen=True, eq=False)
class Images:
    """Images of the same shape.

    Parameters
    ----------
    pixels : ndarray, shape (n, rows, columns, channels)
    form : ImageForm
    """

    pixels: Pixels
    form: ImageForm

    def __len__(self) -> int:
        return len(self.pixels)


def read_images(data: Any, what: str, channel_axis: Any = "auto", image_shape: tuple[int, ...] | None = None) -> Images:
    """Read a caller's images, whose layout is known or plain; see `readings`.

    Raises
    ------
    InvalidInputError
        As for `readings`.
    """
    return readings(data, what, channel_axis, image_shape)[0]


def readings(
    data: Any, what: str, channel_axis: Any = "auto", image_shape: tuple[int, ...] | None = None
) -> tuple[Images, ...]:
    """Read a caller's images: in the one way in which they can be read, or in two, which the model may decide between.

    An array of shape (3, 25, 25) may be one image with channels first, or three grey images.

    Parameters
    ----------
    data : array, tensor, or sequence of them
    what : str
        Name of the images in error messages.
    channel_axis : "auto", None or int
        As in `ImageExplainer`.
    image_shape : tuple of int, optional
        Shape of an image, if `data` holds flat rows of pixels.

    Raises
    ------
    InvalidInputError
        If they are not numbers, hold NaN or infinite values, or do not have the shape of images.
    """
    array = _as_array(data, what)
    is_flat = image_shape is not None and array.shape[-1:] == (int(np.prod(image_shape)),) and array.ndim <= 2
    if is_flat:
        array = array.reshape(-1, *image_shape)  # type: ignore[misc]
    elif image_shape is not None:
        if array.shape[-len(image_shape) :] != image_shape or array.ndim > len(image_shape) + 1:
            raise InvalidInputError(
                f"{what} must be rows of {int(np.prod(image_shape))} pixels or images of the shape {image_shape}, as the "
                f"'image_shape' parameter says. Got the shape {array.shape}."
            )
        array = array.reshape(-1, *image_shape)
    layouts = _layouts(array, what, channel_axis, image_shape is not None)
    return tuple(_images(array, channels, what, is_flat=image_shape is not None) for channels in layouts)


def _images(array: npt.NDArray[Any], channels: str, what: str, *, is_flat: bool) -> Images:
    array = array if array.ndim == (3 if channels == "none" else 4) else array[None]
    form = ImageForm(array.shape[1:], channels, array.dtype.name, is_flat)
    if not len(array) or 0 in form.shape:
        raise InvalidInputError(f"{what} must hold at least one image and one pixel. Got the shape {array.shape}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))[0])
        raise InvalidInputError(
            f"{what} must hold finite numbers. Image {bad} has NaN or infinite pixels: replace them, such as with "
            "numpy.nan_to_num."
        )
    return Images(form.pixels(array), form)


def conform_images(images: Images, form: ImageForm, what: str) -> Images:
    """Return images, which must have the shape of those that an explainer explained before or of its other images.

    Raises
    ------
    InvalidInputError
        If they have another shape or layout, or values of another kind.
    """
    if images.form.shape != form.shape or images.form.channels != form.channels:
        raise InvalidInputError(
            f"{what} must have the shape of the images, {form.shape}. Got {images.form.shape}. Convert or resize it first."
        )
    return images


def read_shape(shape: Any) -> tuple[int, ...] | None:
    """Return the shape of an image that a caller gives for flat rows of pixels, or None.

    Raises
    ------
    InvalidInputError
        If it is no shape of an image.
    """
    if shape is None:
        return None
    sizes = tuple(shape) if isinstance(shape, list | tuple) else ()
    if len(sizes) not in (2, 3) or not all(isinstance(n, int | np.integer) and n > 0 for n in sizes):
        raise InvalidInputError(
            "The 'image_shape' parameter must be the shape of an image, (rows, columns) or with its channels. Got "
            f"{shape!r}."
        )
    return tuple(map(int, sizes))


def _as_array(data: Any, what: str) -> npt.NDArray[Any]:
    if isinstance(data, list | tuple):
        parts = [_as_array(part, what) for part in data]
        shapes, kinds = {part.shape for part in parts}, {part.dtype.kind for part in parts}
        if "f" in kinds and len(kinds) > 1:
            raise InvalidInputError(
                f"{what} must have one unit. Got whole numbers and fractions together: convert all of them in the same way."
            )
        if len(shapes) > 1:
            raise InvalidInputError(
                f"{what} must have the same shape. Got the shapes {sorted(shapes)[:5]}: resize the images, or explain those of "
                "each shape in a call of their own."
            )
        return np.stack(parts) if parts else np.empty((0, 0, 0))
    if np.ma.is_masked(data):
        raise InvalidInputError(
            f"{what} must have all their pixels. Got a masked array: fill it, such as with data.filled(0)."
        )
    array = array_of(off_device(data), f"{what} must hold numbers")
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise InvalidInputError(f"{what} must hold numbers. Got {_kind_of(data, array)}. {FORMS}.")
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _kind_of(data: Any, array: npt.NDArray[Any]) -> str:
    if array.ndim == 0:
        return f"{type(data).__name__} {data!r}"[:80]
    return f"an array of dtype {array.dtype}"


def _layouts(array: npt.NDArray[Any], what: str, channel_axis: Any, is_batch: bool) -> tuple[str, ...]:
    """Return the places that the channels may have, the likelier one first."""
    if array.ndim not in (2, 3, 4) or (is_batch and array.ndim < 3):
        raise InvalidInputError(f"{FORMS}. Got {what} with the shape {array.shape}.")
    known = ("auto", *LAST, *FIRST)
    if channel_axis is not None and not (isinstance(channel_axis, str | int | np.integer) and channel_axis in known):
        raise InvalidInputError(
            "The 'channel_axis' parameter must be 'auto', None for images without channels, -1 for channels last or 0 for "
            f"channels first. Got {channel_axis!r}."
        )
    if array.ndim == 2 or (array.ndim == 3 and is_batch):
        return ("none",)
    if channel_axis is None:
        if array.ndim == 4:
            raise InvalidInputError(
                f"channel_axis=None means images without channels, (n, rows, columns). Got {what} with the shape "
                f"{array.shape}: pass channel_axis=-1 or channel_axis=0."
            )
        return ("none",)
    if channel_axis != "auto":
        return ("last",) if channel_axis in LAST else ("first",)
    found = _likely(array.shape)
    if found:
        return found
    grey = "" if array.ndim == 4 else ", or channel_axis=None (grey images without channels)"
    raise InvalidInputError(
        f"{what} have the shape {array.shape}, which does not tell the axis of the channels: it is found if there are 1, 3 or 4 "
        f"of them. Pass channel_axis=-1 (channels last) or channel_axis=0 (channels first){grey}."
    )


def _likely(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the places that the channels of an image (r, c, k), or of several, probably have; none if it cannot be told."""
    first, last = shape[-3], shape[-1]
    if len(shape) == 4:
        return ("last",) if last in COLOR_CHANNELS else ("first",) if first in COLOR_CHANNELS else ()
    if (last in COLOR_CHANNELS[1:] and min(shape[:2]) > last) or (last == 1 and min(shape[:2]) >= FEWEST_PIXELS):
        return ("last",)
    if last < FEWEST_PIXELS <= min(shape[:2]):
        return ()  # bands rather than many grey images of few columns
    if first in COLOR_CHANNELS[1:] and min(shape[1:]) > FEWEST_PIXELS:
        return ("first", "none")
    return ("none", "first") if first == 1 else ("none",)


def shape_of(data: Any) -> tuple[Any, ...]:
    """Return the shape of an array or a tensor; that of anything else is empty."""
    shape = getattr(data, "shape", ())
    return tuple(shape) if hasattr(shape, "__iter__") else ()


def look_like_images(data: Any) -> bool:
    """Whether examples are an array or tensor of images: with 1, 3 or 4 channels, and at least 16 rows and columns."""
    shape = shape_of(data)
    if len(shape) != 4:
        return False
    layouts = ((shape[3], shape[1:3]), (shape[1], shape[2:4]))
    return any(channels in COLOR_CHANNELS and min(size) >= FEWEST_PIXELS for channels, size in layouts)
