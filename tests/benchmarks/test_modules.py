"""Benchmarks are modules that other modules import: they read arguments and print when they are run, not before."""

import ast
from pathlib import Path

import pytest

MODULES = sorted(Path(__file__).parent.glob("*.py"))
WHEN_RUN = ast.FunctionDef | ast.ClassDef


def at_import(tree):
    """Nodes of what is executed when a module is imported."""
    waiting = [node for node in tree.body if not (isinstance(node, ast.If) and "__main__" in ast.unparse(node.test))]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, WHEN_RUN):
            yield node
            waiting += ast.iter_child_nodes(node)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_importing_reads_no_arguments_and_prints_nothing(path):
    names = {ast.unparse(node) for node in at_import(ast.parse(path.read_text(encoding="utf-8")))}
    assert not names & {"sys.argv", "print", "warnings.simplefilter"}
