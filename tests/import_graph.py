"""Which module imports which, and which rooms of ARCHITECTURE.md allow it: what `test_layers` checks."""

import ast
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

PACKAGE = "automl_explain"
INNER = ("explainers", "integrations")
"""Folders at the top of the repository that install below `automl_explain`."""
DOTTED = re.compile(rf"{PACKAGE}(\.\w+)*(:\w+)?")


def source_files(root):
    """Python files of the three folders, relative to the root; the links in `automl_explain/` are not followed."""
    for folder in (*INNER, PACKAGE):
        for path in sorted((root / folder).rglob("*.py")):
            inner = path.relative_to(root)
            if not any((root / parent).is_symlink() for parent in inner.parents):
                yield inner.as_posix()


def module_name(path):
    """Name under which a file is imported."""
    parts = PurePosixPath(path).with_suffix("").parts
    parts = parts if parts[0] == PACKAGE else (PACKAGE, *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@dataclass(frozen=True)
class Arrow:
    """An import: the module that imports, the module that is imported, and the line."""

    source: str
    target: str
    line: int

    def __str__(self):
        return f"{self.source}:{self.line} imports {self.target}"


def arrows_of(text, source, modules):
    """Yield the imports of a module: statements wherever they stand, and strings that name one of our modules.

    Statements in functions and below TYPE_CHECKING count. So do ``"module:name"`` and dotted names in strings, and
    strings put together from constants of the module, since registries and lazy tables import what these name.
    """
    tree = ast.parse(text)
    constants = _constants(tree)
    skipped = _prefixes(tree) | {
        id(part)
        for node in ast.walk(tree)
        if _is_composed(node) and _string(node, constants) is not None
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        targets = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}:{node.lineno}: a relative import hides its room; write it out"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [name if name in modules else node.module for name in names]
        elif isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp) and id(node) not in skipped:
            targets = _named(_string(node, constants), modules)
        for target in targets:
            if target.partition(".")[0] == PACKAGE and target != source:
                yield Arrow(source, target, node.lineno)


def _constants(tree):
    """Strings that a module gives names to."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _prefixes(tree):
    """Nodes of constants that only begin other strings: these are read where they are put together."""
    begun = {
        part.id
        for node in ast.walk(tree)
        if _is_composed(node)
        for part in ast.walk(node)
        if isinstance(part, ast.Name)
    }
    return {
        id(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id in begun for t in node.targets)
    }


def _is_composed(node):
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add))


def _string(node, constants):
    """The text of an expression made of constants; None for any other."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.FormattedValue):
        return _string(node.value, constants)
    parts = {ast.JoinedStr: lambda: node.values, ast.BinOp: lambda: [node.left, node.right]}.get(type(node))
    texts = [_string(part, constants) for part in parts()] if parts and _is_composed(node) else [None]
    return None if None in texts else "".join(texts)


def _named(text, modules):
    """The module that a string names: the longest beginning that is one; entry-point groups and tags name none."""
    if text is None or not DOTTED.fullmatch(text):
        return []
    module, colon, _ = text.partition(":")
    parts = module.split(".")
    found = next(
        (name for n in range(len(parts), 0, -1) if (name := ".".join(parts[:n])) in modules and (n > 1 or colon)), None
    )
    return [] if found is None else [found]


def all_arrows(root):
    """The imports among our modules."""
    files = {module_name(path): path for path in source_files(root)}
    return [
        arrow
        for module, path in files.items()
        for arrow in arrows_of((root / path).read_text(encoding="utf-8"), module, files)
    ]


def cycles(arrows):
    """Sets of modules that import each other, directly or through others (strongly connected components of a graph)."""
    targets = {}
    for arrow in arrows:
        targets.setdefault(arrow.source, set()).add(arrow.target)
    reached = {module: _reachable(module, targets) for module in targets}
    found = {frozenset(other for other in reached[module] if module in reached.get(other, ())) for module in targets}
    return [sorted(modules) for modules in found if modules]


def _reachable(start, targets):
    seen, waiting = set(), [start]
    while waiting:
        for target in targets.get(waiting.pop(), set()) - seen:
            seen.add(target)
            waiting.append(target)
    return seen


@dataclass(frozen=True)
class Room:
    """A line of the table: folders (ending in a slash) and files, and the beginnings of the paths that they may import."""

    places: tuple[str, ...]
    may_import: tuple[str, ...]


class Rooms:
    """The table of rooms in ARCHITECTURE.md, from the lowest to the highest. Every room may import the first."""

    def __init__(self, markdown):
        section = re.split(r"^## Rooms$", markdown, flags=re.MULTILINE)[1].partition("\n## ")[0]
        lines = [line.strip().strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
        self.rooms = [Room(*(tuple(re.findall(r"`([^`]+)`", line[n])) for n in (0, 2))) for line in lines[2:]]
        self._numbers = {place: number for number, room in enumerate(self.rooms) for place in room.places}

    def of(self, path):
        """The number of a file's room: that of the file itself, or of its folder; None if there is none."""
        return self._numbers.get(path, self._numbers.get(path[: path.rfind("/") + 1]))

    def allows(self, source, target):
        """Whether a file may import another."""
        own, other = self.of(source), self.of(target)
        if None in (own, other):
            return False
        return other in (own, 0) or target.startswith(self.rooms[own].may_import)
