"""The public names: all there, all documented, and light to import."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from numpydoc.validate import validate

import automl_explain
from automl_explain import explainers
from automl_explain.explainers import _errors

ROOT = Path(__file__).parents[1]
PACKAGES = [automl_explain, explainers]
INTEGRATIONS = (
    "flaml.AutoML", "optuna.TrialExplainer", "optuna.TrialCapture", "sklearn_search.ExplainingScorer", "mlflow.MlflowStore",
    "mlflow.run_of_mlflow", "spark.explain_frame", "dask.explain_frame", "ray.explain_dataset",
)  # fmt: skip
"""Public names of the integrations."""
DOCUMENTED = [name for name in automl_explain.__all__ if name != "__version__"]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_is_complete_sorted_and_importable(package):
    assert list(package.__all__) == sorted(set(package.__all__))
    assert set(package.__all__) - {"__version__"} == set(package._MODULES)
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert set(package.__all__) - {"__version__"} <= set(dir(package))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_each_name_comes_from_the_module_that_defines_it(package):
    for name, module in package._MODULES.items():
        found = getattr(package, name)
        assert getattr(found, "__module__", module) == module, name


def names_for_editors(package):
    """Names that the TYPE_CHECKING block imports, with stars resolved, and the module each comes from."""
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    blocks = [
        node for node in tree.body if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    ]
    assert len(blocks) == 1
    found = {}
    for node in blocks[0].body:
        for alias in node.names:
            if alias.name != "*":
                found[alias.name] = node.module
            elif node.module == "automl_explain.explainers":
                found |= explainers._MODULES
            else:
                module = sys.modules[node.module]
                public = [
                    name for name, value in vars(module).items() if inspect.isclass(value) and not name.startswith("_")
                ]
                found |= dict.fromkeys(public, node.module)
    return found


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_editors_see_the_names_that_are_there_at_run_time(package):
    assert names_for_editors(package) == package._MODULES


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_an_unknown_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_a_star_import_gives_every_name():
    names = {}
    exec("from automl_explain import *", names)
    assert set(automl_explain.__all__) <= set(names)


def in_a_new_process(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["automl_explain", "automl_explain.explainers", "automl_explain.cli"])
def test_importing_loads_no_library(module):
    code = f"import sys; before = set(sys.modules); import {module}; print(*sys.modules.keys() - before)"
    loaded = {name.partition(".")[0] for name in in_a_new_process(code).split()}
    assert loaded - sys.stdlib_module_names == {"automl_explain"}, (
        "numpy, pandas and the others wait until they are used"
    )


def test_importing_changes_nothing_of_the_caller_s():
    code = """
import logging, random, sys, warnings
def state():
    root = logging.root
    return random.getstate(), list(warnings.filters), sys.stderr, sys.excepthook, root.level, list(root.handlers)
before = state()
import automl_explain, automl_explain.cli
print(state() == before)
"""
    assert in_a_new_process(code) == "True"


# ------------------------------------------------------------------ docstrings


def own_parameters(thing):
    """Parameters that the caller may give; none for errors, which take a message, and for protocols."""
    if inspect.isclass(thing) and issubclass(thing, Exception | Warning):
        return []
    parameters = inspect.signature(thing).parameters.values()
    return [parameter.name for parameter in parameters if parameter.name not in ("self", "args", "kwargs")]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_name_is_documented(name):
    thing = getattr(automl_explain, name)
    doc = inspect.getdoc(thing)
    assert doc, name
    assert "dataclass" not in doc.partition("\n")[0]
    assert not doc.startswith(f"{name}("), "a docstring that dataclass made"
    if own_parameters(thing) and "Parameters are those of" not in doc:
        assert "Parameters\n----------\n" in doc


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_parameter_is_documented_and_every_documented_one_exists(name):
    thing = getattr(automl_explain, name)
    doc = inspect.getdoc(thing)
    if "Parameters\n----------\n" not in doc:
        return
    section = doc.partition("Parameters\n----------\n")[2]
    section = re.split(r"\n\w[\w ]*\n-{3,}\n", section)[0]
    headings = [line.partition(" : ")[0] for line in section.splitlines() if line and not line.startswith(" ")]
    documented = {part.strip().lstrip("*") for heading in headings for part in heading.split(",")}
    assert documented == set(own_parameters(thing))


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples_import_only_what_readers_may_import(name):
    assert (
        re.findall(
            r"^>>> (?:from|import) (automl_explain[\w.]*\._\w+)", inspect.getdoc(getattr(automl_explain, name)), re.M
        )
        == []
    )


WHOLE = frozenset(("GL08", "PR01", "PR02", "PR03", "PR04", "PR07", "RT01", "RT03", "SS05", "YD01"))
"""What numpydoc must not find: a missing docstring, parameters that are missing, unknown, in another order, or without a type or
description, and what is returned or yielded without a type or description."""
OTHERWISE = {"SearchEngine": {"PR01"}, "integrations.flaml.AutoML": {"PR02"}}
"""Name -> what is allowed: a protocol has no parameters, and FLAML's settings are passed through. Errors take a message."""


@pytest.mark.parametrize("name", [*DOCUMENTED, *(f"integrations.{one}" for one in INTEGRATIONS)])
def test_help_alone_is_enough_to_use_a_public_name(name):
    module, _, own = f"automl_explain.{name}".rpartition(".")
    owner = getattr(importlib.import_module(module), own)
    allowed = {"PR01"} if inspect.isclass(owner) and issubclass(owner, Exception) else OTHERWISE.get(name, set())
    errors = validate(f"automl_explain.{name}")["errors"]
    assert not {code for code, _ in errors} & (WHOLE | {"EX01"}) - allowed, errors
    for member in dir(owner) if inspect.isclass(owner) else ():
        value = inspect.getattr_static(owner, member)
        wrapped = getattr(value, "fget", None) or getattr(value, "__func__", None) or getattr(value, "func", value)
        if member.startswith("_") or not str(getattr(wrapped, "__module__", "")).startswith("automl_explain"):
            continue
        if callable(wrapped):
            errors = validate(f"automl_explain.{name}.{member}")["errors"]
            assert not {code for code, _ in errors} & WHOLE, (member, errors)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_method_is_documented(name):
    thing = getattr(automl_explain, name)
    if not inspect.isclass(thing):
        return
    methods = {
        member: value
        for member, value in vars(thing).items()
        if (callable(value) or isinstance(value, property | staticmethod)) and not member.startswith("_")
    }
    fields = getattr(thing, "__dataclass_fields__", {})
    bare = [member for member, value in methods.items() if member not in fields and not inspect.getdoc(value)]
    assert bare == []


@pytest.mark.parametrize("name", DOCUMENTED)
def test_at_most_three_parameters_may_be_given_by_position_after_the_first(name):
    # The entry points follow the six parameters of the document they implement.
    documented = {"explain_model"}
    thing = getattr(automl_explain, name)
    if name in documented or not inspect.isfunction(thing):
        return
    kinds = [parameter.kind for parameter in inspect.signature(thing).parameters.values()]
    assert kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) <= 3


# -------------------------------------------------------------- exception tree


def real_tree():
    """(depth, name, builtin bases) of every error and warning, depth first in the order of definition."""
    own = [value for value in vars(_errors).values() if inspect.isclass(value) and value.__module__ == _errors.__name__]

    def walk(cls, depth):
        builtins = [base.__name__ for base in cls.__bases__ if base.__module__ == "builtins" and base is not Exception]
        yield depth, cls.__name__, builtins
        for child in own:
            if cls in child.__bases__:
                yield from walk(child, depth + 1)

    for root in own:
        if not set(root.__bases__) & set(own):
            yield from walk(root, 0)


def drawn_tree():
    drawing = inspect.getdoc(_errors).partition("::\n")[2]
    for line in drawing.splitlines():
        match = re.match(r"\s*([│├└─ ]*)(\w+)(?: \((\w+)\))?", line.removeprefix("    "))
        if match and match[2]:
            yield len(match[1]) // 4, match[2], [match[3]] if match[3] else []


def test_the_drawn_exception_tree_is_the_real_one():
    assert sorted(drawn_tree()) == sorted(real_tree())
    assert {name for _, name, _ in real_tree()} <= set(automl_explain.__all__)


def test_every_error_says_what_it_is():
    for _, name, _ in real_tree():
        assert inspect.getdoc(getattr(_errors, name))
