"""Imports keep to the table of rooms in ARCHITECTURE.md, and no two modules import each other."""

import ast
import re
from pathlib import Path

import pytest

from tests.import_graph import Arrow, Rooms, all_arrows, arrows_of, cycles, module_name, source_files

ROOT = Path(__file__).parents[1]
ROOMS = Rooms((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
FILES = {module_name(path): path for path in source_files(ROOT)}
ARROWS = all_arrows(ROOT)


def test_every_source_file_is_looked_at():
    paths = set(FILES.values())
    assert {"explainers/model/_fitted_model.py", "integrations/flaml.py", "automl_explain/cli/_main.py"} <= paths
    assert not any(path.startswith(("automl_explain/explainers", "automl_explain/integrations")) for path in paths)
    assert len(ARROWS) > 3 * len(FILES)


def test_no_modules_import_each_other():
    assert cycles(ARROWS) == []


def test_imports_keep_to_the_table():
    assert [str(arrow) for arrow in ARROWS if not ROOMS.allows(FILES[arrow.source], FILES[arrow.target])] == []


def test_every_file_has_a_room():
    assert [path for path in FILES.values() if ROOMS.of(path) is None] == []


def test_every_room_exists():
    for room in ROOMS.rooms:
        for place in (*room.places, *room.may_import):
            assert (ROOT / place).is_dir() if place.endswith("/") else (ROOT / place).is_file(), place


def test_no_place_is_in_two_rooms():
    places = [place for room in ROOMS.rooms for place in room.places]
    assert sorted(set(places)) == sorted(places)


def test_rooms_may_import_only_rooms_above_them_in_the_table():
    for path in FILES.values():
        for other in FILES.values():
            assert not ROOMS.allows(path, other) or ROOMS.of(other) <= ROOMS.of(path), f"{path} -> {other}"


@pytest.mark.parametrize("folder", ["explainers", "integrations", "automl_explain", "tests", "examples"])
def test_nobody_imports_a_folder_by_its_own_name(folder):
    for path in (ROOT / folder).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if not re.search(r"^\s*(from|import)\b.*(?<!\.)\b(explainers|integrations)\b", text, re.MULTILINE):
            continue  # no line to look at more closely
        for node in ast.walk(ast.parse(text)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            assert not {name.partition(".")[0] for name in names} & {"explainers", "integrations"}, path


# ------------------------------------------------------------------------------------------------ the checks themselves

MODULES = dict.fromkeys(
    (
        "automl_explain",
        "automl_explain.cli",
        "automl_explain.explainers",
        "automl_explain.explainers.low",
        "automl_explain.integrations",
        "automl_explain.integrations.high",
    )
)


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("from automl_explain.explainers.low import name", ["explainers.low"]),
        ("from automl_explain.explainers import low", ["explainers.low"]),
        ("from automl_explain.explainers import name", ["explainers"]),
        ("import automl_explain.integrations.high as high", ["integrations.high"]),
        ("def f():\n    from automl_explain.cli import main", ["cli"]),
        ("if TYPE_CHECKING:\n    from automl_explain.cli import main", ["cli"]),
        ("from automl_explain import integrations, cli", ["integrations", "cli"]),
        ("import numpy\nfrom collections import abc", []),
        ("load('automl_explain.cli:main')", ["cli"]),
        ("load('automl_explain:explain_model')", [""]),
        ("TABLE = {'name': 'automl_explain.integrations.high'}", ["integrations.high"]),
        ("load('automl_explain.integrations.high.name')", ["integrations.high"]),
        ("_PLACE = 'automl_explain.integrations'\nTABLE = {'a': f'{_PLACE}.high:name'}", ["integrations.high"]),
        ("_PLACE = 'automl_explain.'\nload(_PLACE + 'integrations' + '.high')", ["integrations.high"]),
        ("PLACE = 'automl_explain.integrations.high'\nload(PLACE)", ["integrations.high"]),
        ("GROUP = 'automl_explain.models'\nTAG = 'automl_explain'", []),
        ("'''See automl_explain.cli for more.'''", []),
        ("f'{name}.cli'", []),
        ("load(name + 'automl_explain.cli:main')", ["cli"]),
    ],
)
def test_every_kind_of_import_is_found(text, targets):
    found = [arrow.target for arrow in arrows_of(text, "automl_explain.explainers.own", MODULES)]
    assert found == [f"automl_explain.{target}".rstrip(".") for target in targets]


def test_relative_imports_are_refused():
    with pytest.raises(AssertionError, match="relative import"):
        list(arrows_of("from . import low", "automl_explain.explainers.own", MODULES))


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (["ab", "bc", "ac"], []),
        (["ab", "ba"], ["ab"]),
        (["ab", "bc", "ca", "cd", "de"], ["abc"]),
        (["ab", "ba", "bc", "cd", "dc"], ["ab", "cd"]),
    ],
)
def test_planted_cycles_are_found(pairs, expected):
    assert sorted("".join(cycle) for cycle in cycles([Arrow(*pair, 1) for pair in pairs])) == expected


def test_a_string_closes_a_cycle():
    modules = {"automl_explain.low": None, "automl_explain.high": None}
    arrows = [
        *arrows_of("LISTENER = 'automl_explain.high:listen'", "automl_explain.low", modules),
        *arrows_of("from automl_explain.low import LISTENER", "automl_explain.high", modules),
    ]
    assert cycles(arrows) == [["automl_explain.high", "automl_explain.low"]]


PLANTED = Rooms("""
## Rooms

| package | what lives there | may import |
|---|---|---|
| `explainers/_errors.py` | errors | nothing of ours |
| `explainers/trees/`, `explainers/trees/inner/` | trees | nothing of ours |
| `explainers/methods/` | methods | `explainers/trees/` |
| `explainers/lime/` | lime | `explainers/trees/` |
| `integrations/` | integrations | `explainers/` |

## Next

| `automl_explain/` | another table | `explainers/` |
""")


@pytest.mark.parametrize(
    ("source", "target", "allowed"),
    [
        ("explainers/methods/_a.py", "explainers/trees/_b.py", True),
        ("explainers/methods/_a.py", "explainers/trees/inner/_b.py", True),
        ("explainers/methods/_a.py", "explainers/methods/_b.py", True),
        ("explainers/methods/_a.py", "explainers/_errors.py", True),
        ("explainers/trees/_a.py", "explainers/trees/inner/_b.py", True),
        ("explainers/trees/_a.py", "explainers/methods/_b.py", False),  # upwards
        ("explainers/methods/_a.py", "explainers/lime/_b.py", False),  # sideways
        ("explainers/_errors.py", "explainers/trees/_b.py", False),
        ("integrations/_a.py", "explainers/lime/_b.py", True),
        ("explainers/lime/_a.py", "integrations/_b.py", False),
        ("integrations/_a.py", "explainers/none/_b.py", False),  # a folder without a room
        ("automl_explain/_a.py", "explainers/trees/_b.py", False),  # not in the table of rooms
    ],
)
def test_arrows_upwards_and_sideways_are_found(source, target, allowed):
    assert PLANTED.allows(source, target) is allowed
