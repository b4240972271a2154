"""The packages that score a bundle, pinned to the versions that are installed here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from automl_explain.explainers._errors import MissingExtraError

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


def pinned_requirements() -> list[str]:
    """Return ``name==version`` of each package that scores and serves bundles, with those that they need.

    Raises
    ------
    MissingExtraError
        If one is not installed.
    """
    found: dict[str, str] = {}
    waiting = list(NEEDED)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError as error:
            raise MissingExtraError(f"Exporting a service needs {name}: pip install 'automl-explain[serve]'") from error
        for text in requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return [f"{name}=={number}" for name, number in sorted(found.items())]
