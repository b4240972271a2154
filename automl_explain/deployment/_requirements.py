"""The packages that score a bundle, pinned to the versions that are installed here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from automl_explain.explainers._errors import InvalidInputError, MissingExtraError

NEEDED = (
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "numba",
    "jinja2",
    "cloudpickle",
    "tqdm",
    "platformdirs",
    "fastapi",
    "uvicorn",
    "httptools",
    "packaging",
    "prometheus-client",
)
"""What scoring and serving import; the libraries that train models are not among them."""


def pinned_requirements(*others: str) -> list[str]:
    """Return ``name==version`` of each package that scores and serves bundles, and of others, with those that they need.

    Raises
    ------
    MissingExtraError
        If one is not installed.
    InvalidInputError
        If one that a model needs is a module of no package.
    """
    found: dict[str, str] = {}
    waiting = [*NEEDED, *others]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError as error:
            if name not in NEEDED:
                raise InvalidInputError(
                    f"The model in the bundle needs {name}, which no installed package provides. Make a package of it, or "
                    "save the bundle where cloudpickle.register_pickle_by_value has been called with the module."
                ) from error
            raise MissingExtraError(f"Exporting a service needs {name}: pip install 'automl-explain[serve]'") from error
        for text in requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return [f"{name}=={number}" for name, number in sorted(found.items())]
