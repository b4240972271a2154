"""The dashboard as a notebook widget: the page's module, and messages in place of a port.

The data goes to the page as a message when it is shown, not as state of the widget, so that it is not saved in the notebook.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from automl_explain.dashboard._page import joined_script, json_ready, packed_bokeh, style_sheet
from automl_explain.dashboard.transports._answers import Answers, read_question
from automl_explain.explainers._errors import InvalidInputError, MissingExtraError

ENTRY = "widget.js"


def widget_is_possible() -> bool:
    """Whether anywidget is installed, and a kernel is there to answer the page."""
    try:
        import anywidget  # noqa: F401 - an extra
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def make_widget(payload: dict[str, Any], packed: bytes, answers: Answers) -> Any:
    """Return the widget of a page.

    Parameters
    ----------
    payload : dict
    packed : bytes
        Its arrays.
    answers : Answers
    """
    widget = _widget_class()()

    def reply(_: Any, message: dict[str, Any], __: Any) -> None:
        number = message.get("id")
        method, rows = read_question(message)
        if method == "page":
            content = {"id": number, "payload": json_ready(payload)}
            widget.send(content, [packed, packed_bokeh()])
            return
        try:
            widget.send({"id": number, "answer": answers.answer(method, rows)})
        except InvalidInputError as error:
            widget.send({"id": number, "error": str(error)})

    widget.on_msg(reply)
    return widget


@cache
def _widget_class() -> type:
    try:
        import anywidget  # an extra, imported when a widget is shown
    except ImportError as error:
        raise MissingExtraError("The widget needs anywidget: pip install 'automl-explain[dashboard]'") from error
    script = f"{joined_script(ENTRY)}\nexport default {{ render: renderWidget }};\n"
    return type("DashboardWidget", (anywidget.AnyWidget,), {"_esm": script, "_css": style_sheet()})
