"""Grad-CAM: where the channels of a layer that raise an output are active. A heat map, not a decomposition of the output."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from automl_explain.explainers._arguments import nearest
from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers.compiled._arrays import Values
from automl_explain.explainers.image._attribution import ImageAttribution, Masking
from automl_explain.explainers.image._model import table_of
from automl_explain.explainers.model._model_call import model_call
from automl_explain.explainers.neural._network import Arrays, Layers, Network

HEAT_MAP = (
    "a heat map: it shows where a layer of the network is active for an output, is never negative, and does not add up to the "
    "output"
)


def heat_maps(masking: Masking, layer: str | None, outputs: Values, chosen: npt.NDArray[np.intp]) -> ImageAttribution:
    """Return Grad-CAM of an image for each chosen output, as values of pixels.

    The channels of the layer are added with the means of the output's derivatives by them as weights, negative sums are
    cut off, and the map is scaled up to the image by linear interpolation.

    Parameters
    ----------
    masking : Masking
        Only its image is used.
    layer : str or None
        Name of a part of the network whose output has the shape (n, channels, rows, columns).
    outputs : ndarray, shape (K,)
        Outputs of the image.
    chosen : ndarray of int, shape (C,)
        Numbers of the outputs that are explained.

    Raises
    ------
    UnsupportedModelError
        If the model is no network of PyTorch.
    InvalidInputError
        If there is no such layer; the message lists those there are.

    References
    ----------
    Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", arXiv 1610.02391.
    """
    explained = masking.explained
    network = explained.model.structure
    if not isinstance(network, Network) or network.layers is None:
        raise UnsupportedModelError(
            f"method='gradcam' needs the layers of a torch.nn.Module. Got {explained.model.name}, which does not give them: use "
            "another method."
        )
    row = table_of(explained, masking.form, masking.image[None], "the images")
    arrays = network.arrays(explained.model.encoded(row.data))
    with model_call(explained.model.name, "the images"):
        name = _known(layer, network.layers, arrays)
        single = explained.model.n_outputs == 2 and network.forward(arrays).shape[1] == 1
        maps = np.stack([_map(network.layers, arrays, name, k) for k in ([0] if single else chosen.tolist())])
    signed = np.concatenate([-maps, maps])[chosen] if single else maps
    values = np.stack([_scaled(np.maximum(one, 0.0), masking.form.size) for one in signed])
    reason = f"{network.why}: Grad-CAM of the layer {name!r}, as requested"
    return ImageAttribution(values, np.zeros(len(values)), outputs[chosen], None, "gradcam", reason, (HEAT_MAP,))


def _known(layer: Any, layers: Layers, arrays: Arrays) -> str:
    shapes = layers.shapes(arrays)
    known = [name for name, shape in shapes.items() if len(shape) == 4]
    if isinstance(layer, str) and layer in known:
        return layer
    there = f"The layers with such an output are {known}."
    if isinstance(layer, str) and layer in shapes:
        raise InvalidInputError(
            f"Grad-CAM needs a layer with an output of shape (n, channels, rows, columns). {layer!r} has {shapes[layer]}. {there}"
        )
    guess = nearest(str(layer), known)
    raise InvalidInputError(
        f"method='gradcam' needs 'layer', the name of a layer of the network. Got {layer!r}. {there}"
        + (f" Did you mean {guess!r}?" if guess and layer is not None else "")
    )


def _map(layers: Layers, arrays: Arrays, layer: str, output: int) -> Values:
    """Return the signed map of an output, in the size of the layer: that of the other of two classes is its negative."""
    made, slopes = layers.activations(arrays, layer, output)
    return np.asarray(np.tensordot(slopes[0].mean(axis=(1, 2)), made[0], axes=1))


def _scaled(found: Values, size: tuple[int, int]) -> Values:
    """Return a map in the size of the image, flat."""
    places = [(np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(size, found.shape, strict=True)]
    grid = np.meshgrid(*places, indexing="ij")
    return np.asarray(ndimage.map_coordinates(found, grid, order=1, mode="nearest")).reshape(-1)
