"""What every test shares: a history of its own, pictures without a screen, and which tests wait to be asked for."""

import logging
import re

import matplotlib
import matplotlib.pyplot as plt
import pytest

from automl_explain.explainers._fallback import FELL_BACK

matplotlib.use("Agg")

ON_REQUEST = {"slow": "pytest -m slow", "benchmark": "pytest -m benchmark -n 0 -s"}
"""Marker -> command that runs its tests. Unless ``-m`` names the marker, they are skipped."""


@pytest.fixture(autouse=True)
def own_history(tmp_path_factory, monkeypatch):
    directory = tmp_path_factory.mktemp("history")
    monkeypatch.setenv("AUTOML_EXPLAIN_HISTORY", str(directory))
    monkeypatch.setenv("XDG_DATA_HOME", str(directory.with_name(f"{directory.name}-data")))  # of the key of kept models
    return directory


class _FallBacks(logging.Handler):
    """Collects what is logged when a fast path has failed."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        if record.msg == FELL_BACK:
            self.said.append(record.getMessage())


@pytest.fixture(autouse=True)
def no_fast_path_fails(request):
    """Fail a test in which a fast path failed: the explanation from predictions would hide it. `falls_back` allows it."""
    if request.node.get_closest_marker("falls_back"):
        yield
        return
    handler, logger = _FallBacks(), logging.getLogger("automl_explain")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    assert not handler.said, f"a fast path failed: {handler.said}"


@pytest.fixture(scope="session", autouse=True)
def time_to_explain():
    """Let searches take their time to explain, unless a test says how long: on a busy machine all takes longer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("automl_explain.integrations.searches._options.SHORTEST_BUDGET", 600.0)
        yield


@pytest.fixture(autouse=True)
def no_figure_is_left():
    """Close the figures of a test, so that another can say which ones it left open."""
    yield
    plt.close("all")


def not_asked_for(config):
    named = re.findall(r"\w+", config.option.markexpr or "")
    return {marker: command for marker, command in ON_REQUEST.items() if marker not in named}


def pytest_collection_modifyitems(config, items):
    for marker, command in not_asked_for(config).items():
        skip = pytest.mark.skip(reason=f"{marker}: run with {command}")
        for item in items:
            if marker in item.keywords:
                item.add_marker(skip)


def pytest_terminal_summary(terminalreporter, config):
    skipped = terminalreporter.stats.get("skipped", [])
    for marker, command in not_asked_for(config).items():
        if count := sum(marker in getattr(report, "keywords", ()) for report in skipped):
            terminalreporter.write_line(f"{count} skipped as {marker}: run with {command}")
