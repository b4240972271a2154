"""`ExplanationDashboard`: an interactive page of explanations, in a notebook, as a file, and from a server."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_explain.dashboard._page import PACKAGE, page_html
from automl_explain.dashboard._subject import Given, Parameters, read_given
from automl_explain.dashboard.data._payload import PageData, make_payload
from automl_explain.dashboard.model._export import export_model
from automl_explain.dashboard.transports._answers import Answers
from automl_explain.explainers._arguments import check_seed, checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._files import write_whole
from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.formatting._names import counted

if TYPE_CHECKING:
    from automl_explain.dashboard.transports._server import DashboardServer

ANSWERED_BY_PYTHON: dict[str, Any] = {"kind": "python", "reason": None, "notes": []}
"""The model of a page that has a transport to Python."""
FRAME_HEIGHT = 900
"""Height of the page in a notebook, in pixels."""


class ExplanationDashboard:
    """An interactive page of an explanation: data, importance, single rows, what-if, performance and the search.

    The page is one file that loads nothing from elsewhere. In a notebook it shows itself, without a port. `save` writes it for
    others, and `serve` serves it on this machine. Models that can be stored as data, such as trees and linear models with
    their preprocessing, answer edited rows inside the page, also in a saved file. Other models answer through the notebook's
    kernel or the server; in a saved file a surrogate answers for them, and the page says so.

    Parameters
    ----------
    explanation : Explanation, ModelExplanation, Run, str, AutoML, study or fitted search
        What is shown. A run, the id of one, or a search stands for the explanations that its history keeps; the page then has
        a view of the search, and its runs can be chosen.
    model : object, optional
        The fitted model that was explained, for edited rows and ICE. Default: the model of the source, if it has one.
    X_test : ndarray, DataFrame or csr_matrix of shape (n, f), optional
        The rows that were explained, in their order, in the columns of your table. Default: the rows that the explanation
        keeps, which are those after the model's preprocessing.
    true_labels : array-like of shape (n,), or False, optional
        True classes or targets of these rows, for the views of the performance; NaN where they are not known. Classes are
        those that are shown, or the model's own labels; a pandas Series is matched with the rows by its index. Default: those
        that were kept with the explanation; False: none.
    background : ndarray, DataFrame or csr_matrix of shape (B, f), optional
        Rows that provide the values of absent features when edited rows are explained, such as the training rows. Default:
        those of the explainer if it is known, otherwise at most 100 of the rows explained.
    title : str, optional
        Heading of the page.
    max_rows : int, optional
        Most rows that the page has points of. Statistics, importance and performance are always those of all rows. Default:
        as many as fit a page of about 4 MB, at most 10,000; at least 1,000 if there are so many.
    random_state : int, default 0
        Seed of the choice of these rows.

    Raises
    ------
    InvalidInputError
        If the parts do not belong together: other rows or a model other than those explained, labels of another length.
    MissingExtraError
        If bokeh is not installed, when the page is made.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import ExplanationDashboard, explain_model
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = Ridge().fit(X, y)
    >>> dashboard = ExplanationDashboard(explain_model(model, X, X[:50]), model, X[:50], true_labels=y[:50])
    >>> dashboard
    ExplanationDashboard(50 rows, 10 features, with a model)
    >>> dashboard.save(tempfile.mkdtemp() + "/page.html").name
    'page.html'
    """

    @checked
    def __init__(
        self,
        explanation: Any,
        model: Any = None,
        X_test: Any = None,
        *,
        true_labels: Any = None,
        background: Any = None,
        title: str | None = None,
        max_rows: int | None = None,
        random_state: int = 0,
    ) -> None:
        if max_rows is not None and (isinstance(max_rows, bool) or not hasattr(max_rows, "__index__") or max_rows < 1):
            raise InvalidInputError(f"The 'max_rows' parameter must be an integer, 1 or more. Got {max_rows!r}.")
        check_seed(random_state)
        self._given: Given = read_given(explanation, Parameters(model, X_test, true_labels, background, title))
        self._max_rows, self._random_state = max_rows, random_state

    @cached_property
    def _data(self) -> PageData:
        """The payload of a page that Python answers."""
        return make_payload(self._given.subject, self._max_rows, self._random_state)

    @cached_property
    def _data_with_model(self) -> PageData:
        """The payload of a page that answers itself: with the model, if there is one."""
        if self._given.model is None:
            return self._data
        block = self._data.block.copy()
        return PageData(self._data.json | {"model": export_model(self._given.model, block)}, block)

    @cached_property
    def _answers(self) -> Answers:
        return Answers(self._given.model)

    def _live(self, transport: str) -> PageData:
        """The payload of a page whose edited rows are answered by a transport, if there is a model."""
        if self._given.model is None:
            return self._data
        return PageData(self._data.json | {"transport": transport, "model": ANSWERED_BY_PYTHON}, self._data.block)

    def _static_html(self) -> str:
        data = self._data_with_model
        return page_html(data.json, data.block.packed())

    @checked
    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page as one HTML file, which needs no server, no network and no other file.

        The file holds the rows that it shows, their labels if they were passed or kept, and of the background at most 100
        rows: whoever gets it can read them.

        Parameters
        ----------
        path : path-like
            File to write. An existing file is replaced, and kept if writing fails.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        HistoryError
            If the file cannot be written.
        """
        target = Path(path)
        write_whole(target, self._static_html().encode(errors="replace"))
        return target

    def serve(self, port: int = 0) -> DashboardServer:
        """Serve the page on this machine only, while the model in this process answers edited rows.

        The address has a random token in it, and the server answers only the page itself. In a script, call ``wait()`` of the
        server that is returned, since it ends with the process.

        Parameters
        ----------
        port : int, default 0
            0: a free port, which the system chooses.

        Returns
        -------
        DashboardServer
            With `url`, `port`, `stop` and `wait`; a context manager.

        Raises
        ------
        InvalidInputError
            If the port cannot be used, such as one that is in use.
        MissingExtraError
            If fastapi or uvicorn is not installed.
        """
        from automl_explain.dashboard.transports._server import DashboardServer  # needs an extra

        data = self._live("http")
        return DashboardServer(page_html(data.json, data.block.packed(), connect="'self'"), self._answers, port)

    def widget(self) -> Any:
        """Return the page as an anywidget, to compose with other widgets.

        Returns
        -------
        anywidget.AnyWidget
            The page.

        Raises
        ------
        MissingExtraError
            If anywidget is not installed.
        """
        from automl_explain.dashboard.transports._widget import make_widget  # needs an extra

        data = self._live("widget")
        return make_widget(data.json, data.block.packed(), self._answers)

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, for notebooks without widgets and for exported ones."""
        page, title = self._static_html(), self._given.subject.title
        return render("frame.html", PACKAGE, page=page, title=title, height=FRAME_HEIGHT)

    def _ipython_display_(self) -> None:
        from IPython.display import display  # IPython is there: it calls this

        from automl_explain.dashboard.transports._widget import widget_is_possible

        if widget_is_possible():
            display(self.widget())  # type: ignore[no-untyped-call] # IPython has no types
        else:
            display({"text/html": self._repr_html_(), "text/plain": repr(self)}, raw=True)  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        subject = self._given.subject
        rows = counted(subject.n_rows, "row") if subject.n_rows else "no rows"
        with_model = "with a model" if self._given.model is not None else "without a model"
        return f"ExplanationDashboard({rows}, {counted(subject.main.num_features, 'feature')}, {with_model})"
