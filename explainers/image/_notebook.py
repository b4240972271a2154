"""The notebook form of image explanations."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.formatting._names import counted, unit_text
from automl_explain.explainers.image._picture import (
    IMAGE,
    SHOWN_PIXELS,
    Panels,
    panels_of_image,
    panels_of_mean,
    png_of,
    strongest_outputs,
)
from automl_explain.explainers.image._values import ImageValues

IMAGES, OUTPUTS = 3, 3
"""Images, and outputs of each, that are shown."""
PACKAGE = "automl_explain.explainers.image"


@dataclass(frozen=True)
class Picture:
    """A PNG file in base64 with its caption."""

    base64: str
    title: str


@dataclass(frozen=True)
class Row:
    """The pictures of an image, and the value of their strongest colour in words."""

    pictures: list[Picture]
    strongest: str


def image_page(explanation: ImageValues) -> str:
    """Return what was computed, and pictures of the first images or of their mean, as HTML."""
    error = explanation.additivity_error
    facts = [repr(explanation), explanation.reason, explanation.absent, *explanation.notes]
    if len(explanation) == 1 and explanation.image_notes:
        facts += explanation.image_notes[0]
    if error is not None:
        facts.append(f"values add up to the output within {error:.1e}")
    rows = [_mean(explanation)] if _has_mean(explanation) else _images(explanation, IMAGES)
    more = 0 if explanation.is_global else len(explanation) - len(rows)
    return render(
        "image.html", PACKAGE, facts=[fact for fact in facts if fact], **_shown(explanation, rows, more)
    )  # fmt: skip


def examples_html(explanation: ImageValues, most: int) -> str:
    """Return pictures of images alone, as a part of a page."""
    rows = [_mean(explanation)] if _has_mean(explanation) else []
    rows += _images(explanation, most)
    return render("pictures.html", PACKAGE, **_shown(explanation, rows, len(explanation) - most))


def _shown(explanation: ImageValues, rows: list[Panels], more: int) -> dict[str, Any]:
    return {
        "rows": [
            Row(
                [Picture(base64.b64encode(png_of(one.rgb)).decode(), one.title) for one in row.panels],
                _strongest(explanation, row),
            )
            for row in rows
        ],
        "scale": _scale(explanation),
        "more": f"{counted(more, 'further image')} not shown" if more > 0 else "",
    }


def _has_mean(explanation: ImageValues) -> bool:
    return explanation.is_global and explanation.same_classes


def _images(explanation: ImageValues, most: int) -> list[Panels]:
    return [
        panels_of_image(explanation, image, strongest_outputs(explanation, image, OUTPUTS), pixels=SHOWN_PIXELS)
        for image in range(min(most, len(explanation)))
    ]


def _mean(explanation: ImageValues) -> Panels:
    return panels_of_mean(explanation, strongest_outputs(explanation, None, OUTPUTS), pixels=SHOWN_PIXELS)


def _scale(explanation: ImageValues) -> str:
    if not explanation.is_additive:
        return "stronger colour: the layer is more active for the output"
    return f"blue raises the output, orange lowers it ({unit_text(explanation.output_space)})"


def _strongest(explanation: ImageValues, row: Panels) -> str:
    """Return the value of the strongest colour; the first panel of a mean is not the image."""
    if not explanation.is_additive:
        return f"strongest colour: {row.limit:.2g}"
    is_mean = row.panels[0].title != IMAGE
    what = f"mean over {counted(len(explanation), 'image')}; " if is_mean else ""
    per = "pixel" if explanation.level == "pixel" or is_mean else "segment"
    return f"{what}strongest colour: {row.limit:.2g} of a {per}"
