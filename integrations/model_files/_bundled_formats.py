"""The table of formats in which a bundle keeps a model that has no form as data.

Formats that run nothing come first. Of LightGBM's and CatBoost's own files, those of models whose trees can be read never get
here: such models are stored as arrays.
"""

from __future__ import annotations

import io
import pickle
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers.scoring.external._bundled_format import BundledFormat

_HERE = "automl_explain.integrations.model_files"

BUNDLED_FORMATS: tuple[BundledFormat, ...] = (
    BundledFormat(
        "skops",
        "model.skops",
        "objects of scikit-learn",
        f"{_HERE}._bundled_skops:write",
        f"{_HERE}._bundled_skops:read",
        packages=("skops",),
        extra="skops",
    ),
    BundledFormat(
        "onnx",
        "model.onnx",
        "models that load_model has read from a file of ONNX",
        f"{_HERE}._bundled_formats:write_onnx",
        f"{_HERE}._bundled_formats:read_onnx",
        packages=("onnxruntime",),
        extra="onnx",
    ),
    BundledFormat(
        "lightgbm",
        "model.lightgbm.txt",
        "boosters and estimators of LightGBM",
        f"{_HERE}._bundled_formats:write_lightgbm",
        f"{_HERE}._bundled_formats:read_lightgbm",
        packages=("lightgbm",),
        signed_only=True,
    ),
    BundledFormat(
        "catboost",
        "model.cbm",
        "models of CatBoost",
        f"{_HERE}._bundled_formats:write_catboost",
        f"{_HERE}._bundled_formats:read_catboost",
        packages=("catboost",),
        extra="catboost",
        signed_only=True,
    ),
    BundledFormat(
        "pickle",
        "model.pkl",
        "whatever cloudpickle can store",
        f"{_HERE}._bundled_formats:write_pickle",
        f"{_HERE}._bundled_formats:read_pickle",
        find_packages=f"{_HERE}._bundled_formats:packages_of_pickle",
        runs_code=True,
    ),
)


# ---------------------------------------------------------------------------------------------------------------- ONNX


def write_onnx(model: Any) -> bytes:
    """Return the content of the file that a model was read from."""
    from automl_explain.integrations.model_files._onnx_models import OnnxModel, onnx_model

    if not isinstance(model, OnnxModel):
        raise UnsupportedModelError(
            "is no model of ONNX: convert it, such as by skl2onnx, and explain load_model(path)."
        )
    try:
        onnx_model(model.content)
    except Exception as error:  # the runtime's own errors
        raise UnsupportedModelError("keeps arrays outside its file. Export it as one file.") from error
    return model.content


def read_onnx(content: bytes, path: Path) -> Any:
    """Return the model of a file of ONNX; data outside it are not read."""
    from automl_explain.integrations.model_files._onnx_models import onnx_model

    return onnx_model(content)


# ------------------------------------------------------------------------------------------------------ native formats


def write_lightgbm(model: Any) -> bytes:
    """Return a booster as text."""
    booster = getattr(model, "booster_", model)
    if not type(booster).__module__.startswith("lightgbm."):
        raise UnsupportedModelError("is no model of LightGBM.")
    return str(booster.model_to_string()).encode()


def read_lightgbm(content: bytes, path: Path) -> Any:
    """Return the booster of a text."""
    import lightgbm

    return lightgbm.Booster(model_str=content.decode())


def write_catboost(model: Any) -> bytes:
    """Return a model of CatBoost in its own format."""
    if not type(model).__module__.startswith("catboost."):
        raise UnsupportedModelError("is no model of CatBoost.")
    return _through_file(lambda file: model.save_model(str(file)))


def read_catboost(content: bytes, path: Path) -> Any:
    """Return the model of a file of CatBoost: a classifier if it has classes."""
    catboost = import_module("catboost")
    model = catboost.CatBoost().load_model(blob=content)
    return catboost.CatBoostClassifier().load_model(blob=content) if len(model.classes_) > 1 else model


def _through_file(write: Callable[[Path], Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model"
        write(file)
        return file.read_bytes()


# -------------------------------------------------------------------------------------------------------------- pickle


def write_pickle(model: Any) -> bytes:
    """Return a pickle, which has classes and functions of scripts and notebooks by value."""
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(model))
    except Exception as error:  # whatever the model's own code raises
        raise UnsupportedModelError(f"cannot be pickled: {error}.") from error


def read_pickle(content: bytes, path: Path) -> Any:
    """Run a pickle, which the caller has allowed."""
    return pickle.loads(content)


def packages_of_pickle(content: bytes) -> tuple[str, ...]:
    """Return the distributions that a pickle of one's own imports from, and the modules that none of them installs."""
    noting = _Noting(io.BytesIO(content))
    noting.load()
    tops = {module.partition(".")[0] for module in noting.modules} - {*sys.stdlib_module_names, "automl_explain"}
    installed = packages_distributions()
    return tuple(sorted({installed.get(top, [top])[0] for top in tops}))


class _Noting(pickle.Unpickler):
    """Notes the modules that are imported."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.modules: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.modules.add(module)
        return super().find_class(module, name)
