"""`ImageExplanation`: values of the segments or pixels of images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.compiled._arrays import Values
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._selection import find_rows
from automl_explain.explainers.formatting._names import Nouns
from automl_explain.explainers.image._convert import as_frame, as_shap
from automl_explain.explainers.image._notebook import examples_html, image_page
from automl_explain.explainers.image._positions import by_position
from automl_explain.explainers.image._storage import load_image_fields, save_image_fields
from automl_explain.explainers.image._values import ImageValues

if TYPE_CHECKING:
    import shap


@dataclass(frozen=True, eq=False, repr=False)
class ImageExplanation(ImageValues):
    """Values of the segments of n images, for C outputs each.

    For Shapley values, the base value of an image and the values of its segments add up to the model's output, up to
    `additivity_error`. The base value is the output for the absent image, so that each image has its own. At
    ``level="pixel"``, each pixel is a segment.

    Parameters
    ----------
    local_importance_values : ndarray, shape (C, n, P)
        Value of each segment; C is 1 for a regression. P is the largest number of segments of an image; images with fewer
        have zeros at the end.
    base_values : ndarray, shape (C, n)
        Outputs for the absent image, in `output_space`.
    outputs : ndarray, shape (C, n)
        The model's outputs for the images.
    segments : ndarray of int, shape (n, rows, columns)
        Number of the segment of each pixel, from 0.
    images : ndarray, shape (n, rows, columns, channels)
        The images, channels last.
    form : ImageForm
        Layout of the images where the caller gives them.
    class_numbers : ndarray of int, shape (C, n)
        The class that each output is of. With more classes than `top_classes` these are the classes with the largest outputs
        of each image, the largest first; otherwise all classes in order.
    classes : tuple or None
        Labels of all classes of the model; None for a regression.
    output_space : {"probability", "log_odds", "response", "margin"}
        Unit of the outputs and values.
    method, reason : str
        How the values were computed, and why so.
    level : {"segment", "pixel"}
    absent : str
        What takes the place of absent segments, in words.
    standard_errors : ndarray, shape (C, n, P), or None
        Standard errors of sampled values; None for exact or approximate values.
    notes : tuple of str
        What users of the values should know.
    image_notes : tuple of tuple of str
        The same for each image.
    kind : str, default "shapley"
        What the values are, as for `Explanation`: Shapley values, or "heat_map", which does not add up to the output.
    coalition_r2 : ndarray of shape (n,), or None
        For approximate values, the share of the variance of coalitions' outputs that sums of values explain.
    is_global : bool, default False
        Whether it was made by `explain_global`: shown as a mean over images rather than by its first image.
    model_kind : {"trial", "refit", "ensemble"} or None
        Role of the model in a search.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from automl_explain import ImageExplainer
    >>> digits = load_digits()
    >>> forest = RandomForestClassifier(20, random_state=0).fit(digits.data, digits.target)
    >>> explanation = ImageExplainer(forest, n_segments=16).explain_local(digits.images[:2])
    >>> explanation.local_importance_values.shape, explanation.to_pixels().shape
    ((5, 2, 16), (5, 2, 8, 8))
    >>> explanation[0].labels[0], explanation.additivity_error < 1e-9
    (0, True)
    """

    is_raw = True
    nouns = Nouns("image", "position", "base value of the image, less the mean of all")
    members = None

    def select(self, images: Any) -> ImageExplanation:
        """Return the explanation of some images.

        Parameters
        ----------
        images : int, slice, list of int, or mask of shape (n,)
            Images to keep, each once; negative numbers count from the end.

        Returns
        -------
        ImageExplanation
            Of these images, in this order.

        Raises
        ------
        InvalidInputError
            If an image is unknown or named twice.
        """
        rows = find_rows(images, len(self))
        if rows is None:
            return self
        if not len(rows):
            raise InvalidInputError(
                f"The 'images' parameter must choose at least one of {len(self)} images. Got {images!r}."
            )
        n_segments = int(self.n_segments[rows].max())
        errors, r2 = self.standard_errors, self.coalition_r2
        return replace(
            self,
            local_importance_values=self.local_importance_values[:, rows, :n_segments],
            base_values=self.base_values[:, rows],
            outputs=self.outputs[:, rows],
            segments=self.segments[rows],
            images=self.images[rows],
            class_numbers=self.class_numbers[:, rows],
            standard_errors=None if errors is None else errors[:, rows, :n_segments],
            image_notes=tuple(self.image_notes[row] for row in rows),
            coalition_r2=None if r2 is None else r2[rows],
            is_global=False,
        )

    def __getitem__(self, images: Any) -> ImageExplanation:
        """Return the explanation of some images: an int, a slice, a list of numbers or a mask."""
        return self.select(images)

    def __iter__(self) -> Iterator[ImageExplanation]:
        """Iterate over the images, each as an explanation of one image."""
        return (self.select(image) for image in range(len(self)))

    def by_position(self, grid: tuple[int, int] = (8, 8)) -> Explanation:
        """Return the values of the cells of a grid over the images, as an `Explanation`.

        It has a feature for each cell of the grid, so that everything that takes an `Explanation` takes it: rankings, plots
        of importance, tables. The value of a cell is the sum of the values of its pixels, where a segment's value is shared
        equally by its pixels. If images have values of different classes, those of the largest output of each are returned.

        Parameters
        ----------
        grid : tuple of int, default (8, 8)
            Rows and columns of the grid; at most those of the image.

        Returns
        -------
        Explanation
            With a feature per cell of the grid, in units of `output_space`.

        Raises
        ------
        InvalidInputError
            If the grid is not two numbers of 1 or more.
        """
        return by_position(self, grid)

    @cached_property
    def _overall(self) -> Explanation:
        return by_position(self)

    def overall(self) -> Explanation:
        """Return `by_position` with the default grid: the ranking of positions, for plots and tables of importance.

        Returns
        -------
        Explanation
            Over an 8 x 8 grid of positions.
        """
        return self._overall

    @property
    def feature_labels(self) -> tuple[str, ...]:
        """Names of the positions of `overall`."""
        return self._overall.feature_labels

    @property
    def global_importance_values(self) -> Values:
        """Mean absolute value of each position of `overall`."""
        return self._overall.global_importance_values

    def to_frame(self) -> pd.DataFrame:
        """Return the importance of positions in the images, most important first: a column overall, and one per class.

        Returns
        -------
        DataFrame
            A row per position, indexed by its name; the columns are "overall" and the classes, in `output_space` units.
        """
        return self.overall().to_frame()

    def to_local_frame(self) -> pd.DataFrame:
        """Return a table with a row for each image, output and segment.

        Columns: "image", "class" (except for a regression), "segment", "value", "standard_error" (if there are any),
        "n_pixels", and "row" and "column", the mean position of the segment's pixels.

        Returns
        -------
        DataFrame
            Values in units of `output_space`.
        """
        return as_frame(self)

    def to_shap(self) -> shap.Explanation:
        """Return a `shap.Explanation` of pixels, for `shap.image_plot`.

        Values have the shape (n, rows, columns, 1, C), or without the last axis for a regression; data are the images.

        Returns
        -------
        shap.Explanation
            For shap's picture of images.
        """
        return as_shap(self)

    @checked
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the explanation to one file, without pickle; `load` reads it back, and so does `Explanation.load`.

        Parameters
        ----------
        path : path-like
            File to write.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        save_image_fields(path, self)

    @staticmethod
    @checked
    def load(path: str | os.PathLike[str]) -> ImageExplanation:
        """Read an explanation that `save` wrote.

        Parameters
        ----------
        path : path-like
            What `save` wrote.

        Returns
        -------
        ImageExplanation
            The explanation that was saved.

        Raises
        ------
        InvalidInputError
            If the file does not hold an explanation of images.
        FormatVersionError
            If a newer version of automl-explain wrote it.
        """
        return ImageExplanation(**load_image_fields(path))

    @checked
    def examples_html(self, most: int = 6) -> str:
        """Return pictures of the first `most` images as HTML; after `explain_global`, of their mean first.

        Parameters
        ----------
        most : int, default 6
            Images shown.

        Returns
        -------
        str
            A piece of HTML that loads nothing.
        """
        return examples_html(self, most)

    def _repr_html_(self) -> str:
        return image_page(self)
