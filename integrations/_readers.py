"""Which function reads which class: the table behind `describe`.

A class is named by its top-level package and its own name; the classes along the hierarchy are looked up nearest first,
so that a line for a base class serves every subclass without a line of its own.
"""

_PLACE = "automl_explain.integrations"

READERS: dict[str, str] = {
    # anything with predict or predict_proba
    "builtins.object": f"{_PLACE}._sklearn:describe",
    # scikit-learn: linear models
    "sklearn.LinearModel": f"{_PLACE}._sklearn:describe_linear_regressor",
    "sklearn.LinearClassifierMixin": f"{_PLACE}._sklearn:describe_linear_classifier",
    # scikit-learn: pipelines and searches
    "sklearn.Pipeline": f"{_PLACE}._pipeline:describe",
    "sklearn.BaseSearchCV": f"{_PLACE}._pipeline:describe_search",
    # FLAML
    "flaml.AutoML": f"{_PLACE}._flaml_models:describe_automl",
    "flaml.BaseEstimator": f"{_PLACE}._flaml_models:describe_wrapper",
}
