"""HTML comes from templates only, and templates escape what they show."""

import ast
import re
from pathlib import Path

import jinja2
import pytest

from automl_explain.explainers.formatting import _colors
from automl_explain.explainers.formatting._html import SHARED, render
from automl_explain.explainers.formatting._text_table import Column, TextTable

ROOT = Path(__file__).parents[3]
FOLDERS = [ROOT / name for name in ("explainers", "integrations", "automl_explain")]
TAGS = re.compile(
    r"</?(?:a|b|br|div|details|figure|h\d|i|img|li|p|section|script|span|style|summary|svg|t[dhr]|table|ul)\b[^>]*>"
)
REPORT = "automl_explain.report"


def files(*suffixes):
    return sorted(
        path
        for folder in FOLDERS
        for path in folder.rglob("*")
        if path.suffix in suffixes and not any(parent.is_symlink() for parent in path.parents if ROOT in parent.parents)
    )


def markup(source):
    """Strings of a Python file that hold an HTML tag, docstrings aside."""
    tree = ast.parse(source)
    described = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, described) and node.body and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node not in docs
        and TAGS.search(node.value)
    ]


@pytest.mark.parametrize("path", files(".py"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_builds_html_itself(path):
    source = path.read_text(encoding="utf-8")
    assert markup(source) == []
    assert "html.escape" not in source
    assert "from html import" not in source


def test_the_check_itself_finds_html():
    assert markup('"""<table>"""\nx = 1') == []
    assert markup('def f(name):\n    return f"<td class=number>{name}</td>"') == ["<td class=number>", "</td>"]


@pytest.mark.parametrize("path", files(".html"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_template_turns_escaping_off(path):
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|Markup", source)


def test_text_is_escaped_in_content_and_attributes():
    evil = "<script>alert('1')</script>\"" + "x" * 60
    table = TextTable((Column(evil), Column("n", is_number=True)), ((evil, "-1.5"), ("short", "2")))
    page = render("notebook/findings.html", sentences=[evil], table=table)
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") >= 3
    titles = re.findall('title="([^"]*)"', page)
    assert len(titles) == 2, "a name that is shortened is whole in its tooltip"
    assert all(title.endswith("x" * 60) for title in titles)
    assert '<td class="number">−1.5</td>' in page  # noqa: RUF001
    assert '<th scope="row">short</th>' in page


def test_a_value_that_a_template_lacks_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        render("notebook/findings.html", sentences=[])


@pytest.mark.parametrize("path", files(".css"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_variable_of_a_style_sheet_is_defined(path):
    style = path.read_text(encoding="utf-8")
    frame = {"report.css": "automl_explain/report/templates/report.html",
             "docs.css": "automl_explain/service/templates/docs.html",
             "dashboard.css": "automl_explain/dashboard/templates/page.html",
             "texts.css": "explainers/text/templates/texts.html",
             "notebook.css": "explainers/formatting/templates/notebook/frame.html"}[path.name]  # fmt: skip
    defined = style + (ROOT / frame).read_text(encoding="utf-8")
    for name in set(re.findall(r"var\((--[a-z]+)\)", style)):
        assert re.search(rf"{name}: (#|\d|\{{\{{ colors\.)", defined), name


def test_colors_of_the_templates_are_those_of_the_plots():
    page = render("notebook/findings.html", sentences=[], table=TextTable((Column("a"),), ()))
    assert f"--bar: {_colors.BAR_COLOR}" in page
    assert f"--lower: {_colors.LOWERING_COLOR}" in page


def test_a_package_s_own_templates_come_first_and_the_shared_ones_are_found():
    from automl_explain.explainers.formatting._html import _environment

    loader = _environment(REPORT).loader
    assert {"report.html", "tables.html", "notebook/frame.html"} <= set(loader.list_templates())
    assert "report.html" not in _environment(SHARED).loader.list_templates()
