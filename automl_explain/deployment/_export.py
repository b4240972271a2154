"""`export_service`: a folder from which an image, a systemd unit or a score file serves a bundle."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template

from automl_explain.deployment._requirements import pinned_requirements
from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._files import written_whole
from automl_explain.explainers.scoring._inspecting import inspect_bundle
from automl_explain.explainers.scoring._saving import load, save

TEMPLATES = {
    "Dockerfile": "Dockerfile",
    "dockerignore": ".dockerignore",
    "score.txt": "score.py",
    "compose.yaml": "compose.yaml",
    "automl-explain.service": "automl-explain.service",
    "README.md": "README.md",
}
"""Template -> file of the folder."""


@checked
def export_service(
    bundle: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    exist_ok: bool = False,
    *,
    wheel: str | os.PathLike[str] | None = None,
    allow_pickle: bool = False,
) -> Path:
    """Write a folder that serves a bundle: Dockerfile, requirements, score file, compose file and systemd unit.

    The image runs as a user without rights and checks its own health. All versions are those installed here. The folder is
    also a source folder for hosts that call ``init()`` and ``run(raw_data)`` of a score file, such as Azure ML.

    Parameters
    ----------
    bundle : path-like
        What `save` wrote; it is checked and copied.
    directory : path-like
        Folder to write.
    exist_ok : bool, default False
        Whether the folder may exist; files of the same names are replaced, others stay.
    wheel : path-like, optional
        Wheel of automl-explain to install in the image. Default: the package index of the image's build has it.
    allow_pickle : bool, default False
        Whether a model that the bundle keeps as a pickle may be loaded, here and in the image.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InvalidInputError
        If it is no bundle, the folder exists, or the wheel is none of this version of automl-explain.
    MissingExtraError
        If the packages of the extra ``serve`` are not installed.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import export_service, save, scoring_explainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> folder = getfixture("tmp_path")
    >>> bundle = save(scoring_explainer(Ridge().fit(X, y), X), folder / "bundle")
    >>> sorted(path.name for path in export_service(bundle, folder / "image").iterdir())[:3]
    ['.dockerignore', 'Dockerfile', 'README.md']
    """
    scorer, target = load(bundle, allow_pickle=allow_pickle), Path(directory)
    installed = _check_wheel(wheel)
    model_file = inspect_bundle(bundle)["model_file"] or {"packages": (), "runs_code": False}
    lines = pinned_requirements(*model_file["packages"])
    if target.exists() and not (exist_ok and target.is_dir()):
        raise InvalidInputError(
            f"{target} exists. Pass exist_ok=True to replace its files, or choose another directory."
        )
    target.mkdir(parents=True, exist_ok=True)
    save(scorer, target / "bundle", exist_ok=True, allow_pickle=allow_pickle)
    if wheel is not None:
        shutil.copy(wheel, target / Path(wheel).name)
    facts = {
        "python": platform.python_version(),
        "wheel": "" if wheel is None else f" {Path(wheel).name}",
        "version": version("automl-explain"),
        "fingerprint": scorer.fingerprint,
        "flag": " --allow-pickle" if model_file["runs_code"] else "",
        "word": ', "--allow-pickle"' if model_file["runs_code"] else "",
        "argument": ", allow_pickle=True" if model_file["runs_code"] else "",
    }
    _write(target / "requirements.txt", "\n".join([*lines, installed, ""]))
    for name, written in TEMPLATES.items():
        text = (files("automl_explain.deployment") / "templates" / name).read_text(encoding="utf-8")
        _write(target / written, Template(text).substitute(facts))
    return target


def _check_wheel(wheel: str | os.PathLike[str] | None) -> str:
    """Return the line of the requirements that installs automl-explain."""
    number = version("automl-explain")
    if wheel is None:
        return f"automl-explain=={number}"
    path = Path(wheel)
    if not path.is_file() or not path.name.startswith(f"automl_explain-{number}-") or path.suffix != ".whl":
        raise InvalidInputError(f"The 'wheel' must be a wheel of automl-explain {number}. Got {path.name!r}.")
    return f"./{path.name}"


def _write(path: Path, text: str) -> None:
    with written_whole(path) as stream:
        stream.write(text.encode())
