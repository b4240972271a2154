"""Every surrogate, and a teacher of every task."""

import pytest

from automl_explain import (
    DecisionTreeExplainableModel,
    LGBMExplainableModel,
    LinearExplainableModel,
    SGDExplainableModel,
)
from tests.explainers.surrogate.teachers import TEACHERS

SURROGATES = [LGBMExplainableModel, LinearExplainableModel, SGDExplainableModel, DecisionTreeExplainableModel]


@pytest.fixture(params=SURROGATES, ids=lambda surrogate: surrogate.__name__)
def surrogate(request):
    return request.param


@pytest.fixture(params=TEACHERS)
def teacher(request):
    return TEACHERS[request.param]
