"""The page: one HTML file with its data, its style sheet and its script, which loads nothing.

The script is made of the modules below ``static/``, joined in the order in which they import each other. They may use named
imports by relative paths and exports of declarations only, and no two may define the same name; `join_modules` checks the
first, a test the second. A content security policy allows the scripts of the page by their hashes, and no other script, no
plugin and no request.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from automl_explain.explainers._errors import MissingExtraError
from automl_explain.explainers.formatting._html import render

PACKAGE = "automl_explain.dashboard"
SCRIPT_FOLDER = files(PACKAGE) / "static"
ENTRY = "main.js"
"""The module that starts the page."""
IMPORT = re.compile(r"^import\s*\{[^}]*\}\s*from\s*\"(\.{1,2}/[\w./]+)\";[ \t]*\n", re.MULTILINE)
EXPORT = re.compile(r"^export\s+(?=(?:async\s+)?(?:const|let|function|class)\b)", re.MULTILINE)
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; connect-src {connect}; "
    "base-uri 'none'; form-action 'none'"
)
"""Styles are allowed inline, since Bokeh makes its style sheets while it draws. They cannot run anything."""


def join_modules(modules: dict[str, str], entry: str) -> str:
    """Return ES modules as one, without imports and exports, each after those that it imports.

    Parameters
    ----------
    modules : dict
        Path in the folder of modules, such as ``"charts/axes.js"`` -> source.
    entry : str
        The module that imports, directly or not, all others that are wanted.

    Raises
    ------
    ValueError
        If a module is missing, modules import each other, one has an import or export of another form, or text that would
        end the script element.
    """
    order: list[str] = []
    being_read: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        if name in being_read or name not in modules:
            what = "import each other" if name in being_read else "do not exist"
            raise ValueError(f"Modules that {what}: {' -> '.join([*being_read, name])}")
        being_read.append(name)
        for imported in IMPORT.findall(modules[name]):
            visit(posixpath.normpath(posixpath.join(posixpath.dirname(name), imported)))
        being_read.pop()
        order.append(name)

    visit(entry)
    for name in order:
        if re.search(r"</script|<!--", modules[name], re.IGNORECASE):
            raise ValueError(f"{name} holds text that ends or hides a script element; write it in parts.")
    return "".join(_plain(name, modules[name]) for name in order)


def _plain(name: str, source: str) -> str:
    body = EXPORT.sub("", IMPORT.sub("", source))
    left = re.search(r"^\s*(import\b|export\b).*", body, re.MULTILINE)
    if left:
        raise ValueError(f"{name}: write named imports and exports of declarations only, not {left.group(0).strip()!r}")
    return f"// {name}\n{body.rstrip()}\n"


@cache
def script_modules() -> dict[str, str]:
    """Return the modules of the page: path below ``static/`` -> source."""
    return dict(_modules_below(SCRIPT_FOLDER, ""))


def _modules_below(folder: Traversable, place: str) -> Iterator[tuple[str, str]]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _modules_below(one, f"{place}{one.name}/")
        elif one.name.endswith(".js"):
            yield f"{place}{one.name}", one.read_text("utf-8")


@cache
def joined_script(entry: str = ENTRY) -> str:
    """Return the script of the page, or that of another module with all that it imports."""
    return join_modules(script_modules(), entry)


@cache
def style_sheet() -> str:
    """Return the style sheet of the page."""
    return (SCRIPT_FOLDER / "dashboard.css").read_text("utf-8")


@cache
def bokeh_script() -> str:
    """Return BokehJS as the bokeh package ships it.

    Raises
    ------
    MissingExtraError
        If bokeh is not installed.
    """
    try:
        folder = files("bokeh") / "server" / "static" / "js"
        return (folder / "bokeh.min.js").read_text("utf-8").partition("//# sourceMappingURL=")[0]
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise MissingExtraError("The dashboard needs bokeh: pip install 'automl-explain[dashboard]'") from error


@cache
def packed_bokeh() -> bytes:
    """Return BokehJS as a gzip stream."""
    return gzip.compress(bokeh_script().encode(), mtime=0)


def page_html(payload: dict[str, Any], packed: bytes, *, connect: str = "'none'") -> str:
    """Return the page.

    Parameters
    ----------
    payload : dict
        JSON of the payload.
    packed : bytes
        Its arrays.
    connect : str, default "'none'"
        Where the page may send requests, as the content security policy writes it.
    """
    script = joined_script()
    return render(
        "page.html",
        PACKAGE,
        title=payload["title"],
        policy=POLICY.format(scripts=f"{_hash(bokeh_script())} {_hash(script)}", connect=connect),
        script=_markup(script),
        payload=_markup(json_for_html(payload)),
        packed=_markup(base64.b64encode(packed).decode()),
        bokeh=_markup(base64.b64encode(packed_bokeh()).decode()),
    )


def json_for_html(value: Any) -> str:
    """Return JSON that can stand in a script element: no character ends the element or begins a comment."""
    text = json.dumps(json_ready(value), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def json_ready(value: Any) -> Any:
    """Return a value in which null stands for numbers that JSON does not have, such as NaN."""
    if isinstance(value, dict):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _markup(text: str) -> Any:
    from markupsafe import Markup  # with Jinja2, imported when the first page is rendered

    return Markup(text)
