"""Plots of image explanations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.formatting._colors import BAR_COLOR, LOWERING_COLOR
from automl_explain.explainers.formatting._names import shortened, unit_text
from automl_explain.explainers.image._explanation import ImageExplanation
from automl_explain.explainers.image._picture import Panel, Panels, panels_of_image, panels_of_mean, strongest_outputs
from automl_explain.plots._style import FIGURE_INCHES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

GAP = 0.06
"""Distance between two panels, as a share of their width."""
MOST_CLASSES = 3
"""Classes that are shown by default."""
TITLE_ROOM = 0.25
"""Height of the titles, in inches."""
LOWEST, HIGHEST = 1.3, 5.0
"""Heights of a panel in a figure of its own, in inches: room for a colour bar, and on a screen."""
BAR_ROOM = 1.1
"""Width of the colour bar with its labels, in inches."""
LETTER = 0.6
"""Width of a letter, as a share of the size of the font."""
LONGEST, SHORTEST = 30, 6
"""Letters of a title at most, and of a class before its output is left out."""


@checked
def plot_image(
    explanation: ImageExplanation,
    *,
    image: int | None = None,
    classes: Sequence[Any] | None = None,
    outlines: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw an image and the values of its segments as colours over the grey image, class by class.

    Blue raises the output and orange lowers it. All classes have the same scale, which is symmetric about zero. For an
    explanation by `explain_global`, the mean values over all images are drawn over the mean image.

    Parameters
    ----------
    explanation : ImageExplanation
        What is drawn.
    image : int, optional
        Number of the image. Default: the first one, or the mean of a global explanation.
    classes : sequence, optional
        Class labels to show. Default: the three with the largest outputs.
    outlines : bool, default True
        Whether the outlines of the segments are drawn.
    ax : Axes, optional
        Where to draw. Default: the axes of a new pyplot figure.

    Returns
    -------
    Axes
        The Axes drawn on; its figure is ``ax.figure``.

    Raises
    ------
    InvalidInputError
        If this is no explanation of images, or there is no such image or class.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from automl_explain import ImageExplainer, plot_image
    >>> digits = load_digits()
    >>> model = LogisticRegression(max_iter=3000).fit(digits.data, digits.target)
    >>> ax = plot_image(ImageExplainer(model, n_segments=16).explain_local(digits.images[7]), classes=[7, 9])
    """
    if not isinstance(explanation, ImageExplanation):
        raise InvalidInputError(
            f"plot_image draws an ImageExplanation, such as that of ImageExplainer.explain_local. Got {type(explanation)}."
        )
    if image is None and explanation.is_global:
        found = panels_of_mean(explanation, _outputs(explanation, None, classes))
        what = f"Mean over {len(explanation)} images"
    else:
        one = explanation.select(image or 0)
        found = panels_of_image(one, 0, _outputs(one, 0, classes), outlines=outlines)
        what = ""
    return _draw(explanation, found, what, ax)


def image_size(n_panels: int, height_of_width: float) -> tuple[float, float]:
    """Return the width and height, in inches, of a figure with panels side by side."""
    panel = min(2.4, (1.6 * FIGURE_INCHES - BAR_ROOM) / n_panels, HIGHEST / height_of_width)
    return panel * n_panels + BAR_ROOM, max(LOWEST, panel * height_of_width) + TITLE_ROOM + 0.2


def _outputs(explanation: ImageExplanation, image: int | None, classes: Sequence[Any] | None) -> list[int]:
    if classes is None:
        return strongest_outputs(explanation, image, MOST_CLASSES)
    if isinstance(classes, str) or not np.iterable(classes) or not len(classes):
        raise InvalidInputError(f"The 'classes' parameter must be a list of class labels. Got {classes!r}.")
    return [explanation.of_class(label) for label in classes]


def _draw(explanation: ImageExplanation, found: Panels, what: str, ax: Axes | None) -> Axes:
    rows, columns = found.panels[0].rgb.shape[:2]
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=image_size(len(found.panels), rows / columns), layout="constrained")
    left = 0.0
    for panel in found.panels:
        ax.imshow(panel.rgb, extent=(left, left + columns, rows, 0.0), interpolation="nearest")
        left += columns * (1.0 + GAP)
    ax.set_xlim(0.0, left - columns * GAP)
    ax.set_ylim(rows, 0.0)
    ax.set_aspect("equal")
    ax.set_axis_off()
    _color_bar(ax, explanation, found.limit)
    _titles(ax, found, columns)
    if what:
        ax.set_title(what, loc="left", fontsize="medium", pad=72.0 * TITLE_ROOM, parse_math=False)
    return ax


def _titles(ax: Axes, found: Panels, columns: int) -> None:
    """Write the title of each panel above it, as far as it fits the width that the axes have now."""
    from matplotlib.font_manager import FontProperties

    figure = ax.get_figure(root=False)
    assert figure is not None
    inches = ax.get_position().width * figure.bbox.width / figure.dpi / len(found.panels)
    letters = int(inches * 72.0 / (LETTER * FontProperties(size="small").get_size_in_points()))
    for number, panel in enumerate(found.panels):
        ax.annotate(
            _fitted(panel, min(letters, LONGEST)), (number * columns * (1.0 + GAP), 0.0), (0.0, 3.0),
            textcoords="offset points", ha="left", va="bottom", fontsize="small", parse_math=False, annotation_clip=False,
        )  # fmt: skip


def _fitted(panel: Panel, letters: int) -> str:
    """Return the title of a panel in so many letters: the name is shortened, not the number; in few, the name alone."""
    if len(panel.title) <= letters:
        return panel.title
    name, colon, number = panel.title.rpartition(": ")
    left = letters - len(colon) - len(number)
    return (
        f"{shortened(name, left)}{colon}{number}"
        if colon and left >= SHORTEST
        else shortened(name or number, max(letters, 2))
    )


def _color_bar(ax: Axes, explanation: ImageExplanation, limit: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure = ax.get_figure(root=False)
    assert figure is not None
    low = -limit if explanation.is_additive else 0.0
    mappable = ScalarMappable(Normalize(low, limit), _signed_map(signed=explanation.is_additive))
    bar = figure.colorbar(mappable, ax=ax, aspect=30, shrink=0.85, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize="small")
    per = "pixel" if explanation.level == "pixel" or explanation.is_global else "segment"
    unit = unit_text(explanation.output_space) if explanation.is_additive else "heat, not additive"
    bar.set_label(f"value of a {per}\n({unit})" if explanation.is_additive else unit, fontsize="small")


def _signed_map(*, signed: bool) -> Colormap:
    """Return the colours of values: those that lower the output, none, those that raise it."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = [LOWERING_COLOR, "#f2f2f2", BAR_COLOR] if signed else ["#f2f2f2", BAR_COLOR]
    return LinearSegmentedColormap.from_list("signed", colours)
