"""One service for the tests that only ask."""

import pytest

from tests.service.models import classifier, regressor, table
from tests.service.running import running


@pytest.fixture(scope="session")
def models():
    return {"loans": classifier(), "prices": regressor()}


@pytest.fixture(scope="session")
def service(models):
    with running(models) as client:
        yield client


@pytest.fixture(scope="session")
def rows():
    return table(12).round(4)  # pandas' to_json writes ten digits
