"""What is installed is what is in the repository: nothing missing, nothing more."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TOP = {
    "automl_explain": "automl_explain",
    "explainers": "automl_explain/explainers",
    "integrations": "automl_explain/integrations",
}
"""Folder of the repository -> place in the distribution."""


def tracked_sources():
    """Place in the distribution of every Python file below the three folders."""
    for folder, place in TOP.items():
        for path in (ROOT / folder).rglob("*.py"):
            inner = path.relative_to(ROOT / folder)
            if not any((ROOT / folder / parent).is_symlink() for parent in inner.parents):
                yield f"{place}/{inner.as_posix()}"


def tracked_data():
    """Place in the distribution of every template, style sheet and script; templates need not be HTML."""
    for folder, place in TOP.items():
        for path in (ROOT / folder).rglob("*"):
            inner = path.relative_to(ROOT / folder)
            linked = any((ROOT / folder / parent).is_symlink() for parent in inner.parents)
            is_data = path.suffix in {".html", ".css", ".js"} or path.parent.name == "templates"
            if not linked and is_data and path.is_file():
                yield f"{place}/{inner.as_posix()}"


def build_distributions(directory):
    """Build the sdist, and the wheel from it, as a release does; from a copy, since building leaves files behind."""
    kept = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "out")
    shutil.copytree(ROOT, directory / "source", symlinks=True, ignore=kept)
    built = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(directory / "dist"), str(directory / "source")],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout[-4000:] + built.stderr[-4000:]
    return {path.suffix: path for path in (directory / "dist").iterdir()}


def test_the_list_of_packages_is_that_of_the_folders():
    on_disk = {str(Path(name).parent).replace("/", ".") for name in tracked_sources()}
    assert sorted(on_disk) == sorted(PYPROJECT["tool"]["setuptools"]["packages"])


def test_every_folder_with_code_is_a_package():
    folders = {Path(name).parent for name in tracked_sources()}
    assert {folder / "__init__.py" for folder in folders} <= {Path(name) for name in tracked_sources()}


@pytest.mark.parametrize("name", ["explainers", "integrations"])
def test_the_links_make_the_checkout_look_installed(name):
    link = ROOT / "automl_explain" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name
    assert link.resolve() == (ROOT / name).resolve()
    mapping = PYPROJECT["tool"]["setuptools"]["package-dir"]
    assert mapping[f"automl_explain.{name}"] == name


def test_the_version_is_one():
    import automl_explain

    assert PYPROJECT["project"]["version"] == automl_explain.__version__


def test_every_dependency_says_what_it_is_for():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("dependencies = [\n")[1].split("\n]")[0]
    assert all("#" in line for line in lines.splitlines())


@pytest.mark.slow
def test_the_oldest_versions_that_ci_installs_are_the_floors_of_the_dependencies():
    lines = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    oldest = dict(line.split("==") for line in lines if not line.startswith("#"))
    floors = dict(one.split(">=") for one in PYPROJECT["project"]["dependencies"])
    assert floors.keys() <= oldest.keys()
    wrong = {name: oldest[name] for name, floor in floors.items() if not f"{oldest[name]}.".startswith(f"{floor}.")}
    assert wrong == {}


def test_the_distributions_hold_every_module_and_nothing_else(tmp_path):
    distributions = build_distributions(tmp_path)
    with zipfile.ZipFile(distributions[".whl"]) as wheel:
        names = wheel.namelist()
        texts = {Path(name).name: wheel.read(name).decode() for name in names if ".dist-info/" in name}
    held = {name for name in names if ".dist-info/" not in name}
    assert held == {*tracked_sources(), *tracked_data(), "automl_explain/py.typed"}
    assert "automl_explain/report/templates/report.html" in held
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "Requires-Python: >=3.11" in texts["METADATA"]
    assert "Provides-Extra: catboost" in texts["METADATA"]
    assert "# automl-explain" in texts["METADATA"], "the README is the long description"
    assert "automl-explain = automl_explain.cli:main" in texts["entry_points.txt"]

    with tarfile.open(distributions[".gz"]) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    folders = {place: folder for folder, place in TOP.items() if folder != place}
    sources = {*tracked_sources(), *tracked_data()}
    for place, folder in folders.items():
        sources = {name.replace(f"{place}/", f"{folder}/") for name in sources}
    assert {*sources, "pyproject.toml", "LICENSE", "README.md", "automl_explain/py.typed"} <= held
