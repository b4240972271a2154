"""Names of features, and the ways to pass them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from automl_explain import InvalidInputError, LIMEExplainer, PFIExplainer, TabularExplainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
Y = (X[:, 0] > 0).astype(int)
MODEL = LogisticRegression().fit(X, Y)


def with_permutations(model, X, **settings):
    return PFIExplainer(model, **settings).explain_global(X, Y)


@pytest.mark.parametrize("explainer", [TabularExplainer, LIMEExplainer, with_permutations])
@pytest.mark.parametrize(
    ("features", "said"),
    [
        ("abc", "list of names. Got 'abc'"),
        (5, "list of names, or None. Got 5"),
        (["a", "a", "b"], "once. Got 'a' several times"),
        (["a", "b"], "name 3 features. Got 2"),
    ],
)
def test_what_is_no_list_of_distinct_names_is_refused(explainer, features, said):
    with pytest.raises(InvalidInputError, match=said):
        explainer(MODEL, X, features=features)


def test_a_number_that_is_a_column_s_name_is_that_column():
    frame = pd.DataFrame({10: X[:, 0], 0: X[:, 1], 5: RNG.integers(0, 3, 80)})
    model = LogisticRegression().fit(frame.to_numpy(), Y)
    subset = TabularExplainer(lambda t: model.predict_proba(np.asarray(t)), frame, explain_subset=[0, 5])
    assert subset.explain_local(frame[:2]).features == ("0", "5")
    lime = LIMEExplainer(lambda t: model.predict_proba(np.asarray(t)), frame, categorical_features=[5])
    assert lime.features == ("10", "0", "5")
    with pytest.raises(InvalidInputError, match="'categorical_features' parameter must name features"):
        LIMEExplainer(MODEL, X, categorical_features=[3])
