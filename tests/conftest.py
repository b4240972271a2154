"""What every test shares: a history of its own, pictures without a screen."""

import matplotlib
import pytest

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def own_history(tmp_path_factory, monkeypatch):
    directory = tmp_path_factory.mktemp("history")
    monkeypatch.setenv("AUTOML_EXPLAIN_HISTORY", str(directory))
    return directory


def pytest_collection_modifyitems(config, items):
    if "benchmark" in (config.option.markexpr or ""):
        return
    skip = pytest.mark.skip(reason="benchmark: run with -m benchmark")
    for item in items:
        if "benchmark" in item.keywords:
            item.add_marker(skip)
