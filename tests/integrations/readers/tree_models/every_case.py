"""The cases of all libraries."""

from tests.integrations.readers.tree_models.catboost_cases import catboost_cases
from tests.integrations.readers.tree_models.lightgbm_cases import lightgbm_cases
from tests.integrations.readers.tree_models.sklearn_cases import sklearn_cases
from tests.integrations.readers.tree_models.xgboost_cases import xgboost_cases

CASES = [*sklearn_cases(), *lightgbm_cases(), *xgboost_cases(), *catboost_cases()]
