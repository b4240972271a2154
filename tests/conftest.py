"""What every test shares: a history of its own, pictures without a screen, and which tests wait to be asked for."""

import re

import matplotlib
import pytest

matplotlib.use("Agg")

ON_REQUEST = {"slow": "pytest -m slow", "benchmark": "pytest -m benchmark -n 0 -s"}
"""Marker -> command that runs its tests. Unless ``-m`` names the marker, they are skipped."""


@pytest.fixture(autouse=True)
def own_history(tmp_path_factory, monkeypatch):
    directory = tmp_path_factory.mktemp("history")
    monkeypatch.setenv("AUTOML_EXPLAIN_HISTORY", str(directory))
    return directory


@pytest.fixture(scope="session", autouse=True)
def time_to_explain():
    """Let searches take their time to explain, unless a test says how long: on a busy machine all takes longer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("automl_explain.integrations.searches._options.SHORTEST_BUDGET", 600.0)
        yield


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
