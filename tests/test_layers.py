"""Imports run downwards only: the front door may import integrations, integrations explainers, never the reverse."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("explainers", "integrations", "automl_explain")
"""Folders from the lowest to the highest."""
SOURCES = sorted(
    path
    for folder in LAYERS
    for path in (ROOT / folder).rglob("*.py")
    if not any(parent.is_symlink() for parent in path.parents if ROOT in parent.parents)
)


def layer_of(module):
    """Layer of an imported module of ours; None for one of somebody else's."""
    parts = module.split(".")
    if parts[0] != "automl_explain":
        return None
    return LAYERS.index(parts[1]) if len(parts) > 1 and parts[1] in LAYERS[:2] else LAYERS.index("automl_explain")


def imports_of(tree):
    """Every module that an import statement names, with its line; inside functions and TYPE_CHECKING as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import hides its layer; write it out"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            inner = [
                name
                for name in names
                if name.split(".")[:2] in (["automl_explain", "explainers"], ["automl_explain", "integrations"])
            ]
            yield from (
                (name, node.lineno)
                for name in (inner if node.module == "automl_explain" and len(inner) == len(names) else [node.module])
            )


def upward_imports(text, own_layer):
    found = imports_of(ast.parse(text))
    return [(module, line) for module, line in found if (layer := layer_of(module)) is not None and layer > own_layer]


def test_every_source_file_is_looked_at():
    names = {path.relative_to(ROOT).as_posix() for path in SOURCES}
    assert {"explainers/model/_fitted_model.py", "integrations/flaml.py", "automl_explain/cli/_main.py"} <= names
    assert not any(name.startswith(("automl_explain/explainers", "automl_explain/integrations")) for name in names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_run_downwards(path):
    own_layer = LAYERS.index(path.relative_to(ROOT).parts[0])
    assert upward_imports(path.read_text(encoding="utf-8"), own_layer) == []


@pytest.mark.parametrize(
    "path", [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "examples").rglob("*.py"))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)  # fmt: skip
def test_nobody_imports_a_folder_by_its_own_name(path):
    modules = [module for module, _ in imports_of(ast.parse(path.read_text(encoding="utf-8")))]
    assert not {module.split(".")[0] for module in modules} & set(LAYERS[:2])


@pytest.mark.parametrize(
    ("text", "layer", "n_upward"),
    [
        ("from automl_explain.integrations.history._run_history import RunHistory", 0, 1),
        ("import automl_explain.integrations.flaml", 0, 1),
        ("def f():\n    from automl_explain import explain_model", 1, 1),
        ("from automl_explain import integrations", 0, 1),
        ("from automl_explain import explainers", 0, 0),
        ("from automl_explain import explainers, explain_model", 1, 1),
        ("from automl_explain.cli import main", 1, 1),
        ("from automl_explain.explainers import describe\nimport numpy", 1, 0),
        ("from automl_explain.integrations.history._run import Run", 2, 0),
    ],
)
def test_the_check_itself_finds_upward_imports(text, layer, n_upward):
    assert len(upward_imports(text, layer)) == n_upward
