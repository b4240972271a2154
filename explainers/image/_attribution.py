"""The values of the segments, or of the pixels, of one image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import check_choice
from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers.compiled._arrays import Values
from automl_explain.explainers.explanation._additivity import check_gaps, settled
from automl_explain.explainers.image._images import ImageForm, Images, Pixels
from automl_explain.explainers.image._model import table_of
from automl_explain.explainers.image._segments import Segments
from automl_explain.explainers.methods._base import Engine, Question
from automl_explain.explainers.methods._rules import build_engine
from automl_explain.explainers.methods._settings import Settings
from automl_explain.explainers.methods.neural._choice import FEW_PLAYERS, network_engine
from automl_explain.explainers.model._class_outputs import expand_binary, only_outputs
from automl_explain.explainers.model._explained_model import ExplainedModel
from automl_explain.explainers.model._predict import predict_rows
from automl_explain.explainers.model._structures import Linear, Opaque, RadialBasis
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.trees._tree_ensemble import Trees

LEVELS = ("segment", "pixel")
METHODS = ("auto", "coalitions", "rescale", "path", "gradcam")


@dataclass(frozen=True, eq=False)
class ImageAttribution:
    """Values of the P segments of one image for C outputs, those that are explained.

    Parameters
    ----------
    values : ndarray, shape (C, P)
    base_values, outputs : ndarray, shape (C,)
        Outputs with all segments absent, and of the image.
    standard_errors : ndarray, shape (C, P), or None
        None for values without sampling error.
    method, reason : str
        How they were computed, and why so.
    notes : tuple of str
    coalition_r2 : float or None
        As in `Explanation`.
    """

    values: Values
    base_values: Values
    outputs: Values
    standard_errors: Values | None
    method: str
    reason: str
    notes: tuple[str, ...] = ()
    coalition_r2: float | None = None


@dataclass(frozen=True, eq=False)
class Masking:
    """One image with its segments, and what takes the place of absent ones.

    Parameters
    ----------
    explained : ExplainedModel
    form : ImageForm
    image : ndarray, shape (rows, columns, channels)
    absent : ndarray, shape (B, rows, columns, channels)
    segments : ndarray of int, shape (rows, columns)
    """

    explained: ExplainedModel
    form: ImageForm
    image: Pixels
    absent: Pixels
    segments: Segments

    @property
    def n_segments(self) -> int:
        """Number of segments P."""
        return int(self.segments.max()) + 1

    def question(self, settings: Settings) -> Question:
        """Return the question for the values of the segments."""
        background = table_of(self.explained, self.form, self.absent, "the absent image")
        of_raw = self.form.cells(self.segments)
        columns, _ = self.explained.players
        players = of_raw if columns is None else of_raw[columns]
        return Question(self.explained.model, background, players, self.n_segments, settings)

    def masked(self, present: npt.NDArray[np.bool_], other: int = 0) -> Pixels:
        """Return the image with only some segments present (m, P), as (m, rows, columns, channels)."""
        shown = np.asarray(present)[:, self.segments]
        return np.where(shown[..., None], self.image, self.absent[other])

    def only(self, chosen: npt.NDArray[np.intp]) -> Masking:
        """Return the same image with a network that has the chosen outputs alone."""
        explained = self.explained
        return replace(self, explained=replace(explained, model=only_outputs(explained.model, chosen)))

    def outputs(self, pixels: Pixels) -> Values:
        """Return the model's outputs for images, (m, K)."""
        rows = table_of(self.explained, self.form, pixels, "the images")
        return predict_rows(self.explained.model, rows)


def check_method(level: str, method: str, layer: Any) -> None:
    """Raise `InvalidInputError` if a level or a method is unknown, or a layer is named for another method than Grad-CAM."""
    check_choice("level", level, LEVELS)
    check_choice("method", method, METHODS)
    if layer is not None and method != "gradcam":
        raise InvalidInputError(
            f"The 'layer' parameter belongs to method='gradcam'. Got layer={layer!r} and method={method!r}."
        )


def outputs_of(explained: ExplainedModel, images: Images) -> Values:
    """Return the outputs of images, one at a time, (n, K)."""
    each = images.pixels[:, None]
    tables = (table_of(explained, images.form, pixels, "the images") for pixels in each)
    return np.concatenate([predict_rows(explained.model, table, "the images") for table in tables])


def chosen_outputs(outputs: Values, top: int | None, *, common: bool) -> npt.NDArray[np.intp]:
    """Return the outputs that are explained, (C, n): all in order if there are few, otherwise the largest first."""
    n_outputs, n_images = outputs.shape
    if top is None or n_outputs <= top:
        return np.repeat(np.arange(n_outputs)[:, None], n_images, axis=1)
    if not common:
        return np.argsort(-outputs, axis=0, kind="stable")[:top]
    wins = np.bincount(outputs.argmax(axis=0), minlength=n_outputs)
    order = np.lexsort((-outputs.mean(axis=1), -wins))[:top]
    return np.repeat(order[:, None], n_images, axis=1)


def padded(values: list[Values]) -> Values:
    """Return the values (C, P) of each image, with zeros after its last segment, (C, n, largest P)."""
    made = np.zeros((len(values[0]), len(values), max(own.shape[1] for own in values)))
    for image, own in enumerate(values):
        made[:, image, : own.shape[1]] = own
    return made


def errors_of(found: ImageAttribution) -> Values:
    """Return the standard errors (C, P) of an image; zeros if its values have no sampling error."""
    return np.zeros_like(found.values) if found.standard_errors is None else found.standard_errors


def attribute(
    masking: Masking,
    settings: Settings,
    method: str,
    outputs: Values,
    chosen: npt.NDArray[np.intp],
    *,
    by_pixel: bool,
) -> ImageAttribution:
    """Compute the values of the segments of an image for some of its outputs.

    Of a network, only the chosen outputs are used: gradients take a backward pass for each, a model of the outputs of
    coalitions is fitted to each, and the values of all pixels for all classes may not fit in memory.

    Parameters
    ----------
    masking : Masking
    settings : Settings
    method : str
    outputs : ndarray, shape (K,)
        Outputs of the image.
    chosen : ndarray of int, shape (C,)
        Numbers of the outputs that are explained.
    by_pixel : bool

    Raises
    ------
    UnsupportedModelError
        If the model does not allow the method.
    AdditivityError
        If the values do not add up to the outputs.
    """
    n_outputs = masking.explained.model.n_outputs
    if isinstance(masking.explained.model.structure, Network) and max(len(chosen), 2) < n_outputs:
        masking, outputs, chosen = masking.only(chosen), outputs[chosen], np.arange(len(chosen))
    explained = masking.explained
    model = explained.model
    question = masking.question(settings)
    engine = _engine(question, method, by_pixel=by_pixel)
    row = table_of(explained, masking.form, masking.image[None], "the images")
    found = engine.attribute(row)
    base = expand_binary(engine.base_values, model)
    values = settled(expand_binary(found.values, model, centred=True), (outputs - base)[None])
    errors = found.standard_errors
    if errors is not None:
        errors = np.abs(expand_binary(errors, model, centred=True))[chosen, 0]
    gaps = np.abs(base + values.sum(axis=2).T - outputs[None])
    said = f"The values of an image by {engine.method} miss the output of {model.name} by up to {{:.3g}}"
    check_gaps(gaps, outputs[None], base, np.abs(values).max(axis=2).T, said, lambda: predict_rows(model, row))
    return ImageAttribution(
        values[chosen, 0], base[chosen], outputs[chosen], errors, engine.method, engine.reason,
        (*engine.notes, *found.notes), found.coalition_r2,
    )  # fmt: skip


def _engine(question: Question, method: str, *, by_pixel: bool) -> Engine:
    structure, n_players = question.model.structure, question.n_players or 0
    if isinstance(structure, Network):
        chosen = "coalitions" if method == "auto" and not by_pixel else method
        if chosen == "auto" and n_players > FEW_PLAYERS and structure.gradients is None and structure.pair_rule is None:
            raise UnsupportedModelError(
                f"level='pixel' needs a network with gradients, or at most {FEW_PLAYERS} pixels. {structure.undifferentiable} "
                f"({question.model.name}), and an image has {n_players} pixels: use level='segment', or method='coalitions'."
            )
        engine = network_engine(question, chosen)
        if method == "auto" and not by_pixel:
            engine.reason = f"{structure.why}: values computed from the outputs of coalitions of segments"
        return engine
    if method not in ("auto", "coalitions"):
        raise UnsupportedModelError(
            f"method={method!r} is for neural networks. {question.model.name} is {type(structure).__name__}: leave out 'method'."
        )
    exact = isinstance(structure, Trees | Linear | RadialBasis)
    if by_pixel and not exact and n_players > FEW_PLAYERS and method == "auto":
        why = f" ({structure.why})" if isinstance(structure, Opaque) else ""
        raise UnsupportedModelError(
            f"level='pixel' is for neural networks, trees and linear models, or at most {FEW_PLAYERS} pixels. "
            f"{question.model.name} is {type(structure).__name__}{why}, and an image has {n_players} pixels: use "
            "level='segment', or method='coalitions'."
        )
    return build_engine(question)
