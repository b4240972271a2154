"""HTML from Jinja2 templates. Every value is escaped; only the package's own style sheets and scripts are not.

A package keeps its templates in `templates/` and its style sheets and scripts in `static/`. Both are looked up there
first, then in this package, which has the macros for tables that all pages share.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from automl_explain.explainers.formatting import _colors
from automl_explain.explainers.formatting._names import counted, one_line, shortened
from automl_explain.explainers.formatting._numbers import loss_text, minus, seconds_text, typeset_number

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

SHARED = "automl_explain.explainers.formatting"

FILTERS = {
    "counted": counted,
    "line": one_line,
    "loss": loss_text,
    "minus": minus,
    "number": typeset_number,
    "seconds": seconds_text,
    "short": shortened,
}
"""Filter of the templates -> the function that it calls."""


def render(template: str, package: str = SHARED, **data: Any) -> str:
    """Return the HTML of a template.

    Parameters
    ----------
    template : str
        File in `templates/` of the package, or of this one.
    package : str
        Import name of the package.
    **data
        What the template shows.
    """
    return _environment(package).get_template(template).render(**data)


@cache
def _environment(package: str) -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined  # slow; only pages need it

    packages = list(dict.fromkeys((package, SHARED)))
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.globals.update(static=lambda name: _static(packages, name), colors=_colors)
    return environment


def _static(packages: list[str], name: str) -> Markup:
    """The text of a style sheet or script; it is part of the package, and so needs no escaping."""
    from markupsafe import Markup

    places = [files(package) / "static" / name for package in packages]
    found = next(place for place in places if place.is_file())
    return Markup(found.read_text(encoding="utf-8"))
