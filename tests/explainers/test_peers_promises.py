"""Properties that the test suites of other explainers check, tested against the libraries' own outputs."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from scipy.special import softmax
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR

from automl_explain import FeatureMap, InvalidInputError, SamplingOptions, TabularExplainer
from tests.oracles import model_game, shapley_values

LOADERS = {"breast_cancer": load_breast_cancer, "iris": load_iris, "diabetes": load_diabetes}
SMALL = {"n_estimators": 20, "n_jobs": 1}
MODELS = {
    "forest": (RandomForestClassifier(20, random_state=0), RandomForestRegressor(20, random_state=0)),
    "svc": (SVC(gamma="scale"), SVR()),
    "xgboost": (xgboost.XGBClassifier(**SMALL), xgboost.XGBRegressor(**SMALL)),
    "lightgbm": (lightgbm.LGBMClassifier(verbose=-1, **SMALL), lightgbm.LGBMRegressor(verbose=-1, **SMALL)),
}
TOLERANCE = {"forest": 1e-10, "svc": 1e-6, "xgboost": 2e-5, "lightgbm": 1e-10}
"""XGBoost predicts in float32; coalitions of an SVC are a regression that is made to add up."""


@pytest.fixture(scope="module", params=[(data, kind) for data in LOADERS for kind in MODELS], ids="-".join)
def case(request):
    data, kind = request.param
    X, y = LOADERS[data](return_X_y=True, as_frame=True)
    X_train, X_test, y_train, _ = train_test_split(X, y, test_size=0.2, random_state=7)
    model = clone(MODELS[kind][data == "diabetes"]).fit(X_train, y_train)
    rows = X_test.iloc[:4]
    explainer = TabularExplainer(
        model, X_train.iloc[:60], sampling=SamplingOptions(nsamples=600 if kind == "svc" else None)
    )
    return data, kind, model, rows, explainer.explain_local(rows)


def own_outputs(data, kind, model, rows):
    """Return the library's own outputs for rows, (n, C), in the space in which the model is additive."""
    if data == "diabetes":
        return model.predict(rows)[:, None]
    if kind == "forest":
        return model.predict_proba(rows)
    if kind == "svc":
        margin = model.decision_function(rows)
    elif kind == "xgboost":
        margin = model.predict(rows, output_margin=True)
    else:
        margin = model.predict(rows, raw_score=True)
    return margin if margin.ndim == 2 else np.column_stack([-margin, margin])


def test_values_and_base_add_up_to_what_the_library_itself_predicts(case):
    data, kind, model, rows, explanation = case
    values = explanation.local_importance_values
    total = values.sum(axis=-1).T if data != "diabetes" else values.sum(axis=-1)[:, None]
    outputs = own_outputs(data, kind, model, rows)
    scale = max(1.0, np.abs(outputs).max())
    np.testing.assert_allclose(total + explanation.expected_values, outputs, rtol=0, atol=TOLERANCE[kind] * scale)
    if data != "diabetes" and kind in ("xgboost", "lightgbm"):
        margins = total + explanation.expected_values
        probability = softmax(margins, axis=1) if data == "iris" else 1 / (1 + np.exp(-margins))
        np.testing.assert_allclose(probability, model.predict_proba(rows), atol=1e-5)


def test_there_is_a_base_and_a_block_for_each_class_two_included(case):
    data, _, _, rows, explanation = case
    n_classes = {"breast_cancer": 2, "iris": 3, "diabetes": None}[data]
    shape = (len(rows), rows.shape[1])
    assert explanation.local_importance_values.shape == (shape if n_classes is None else (n_classes, *shape))
    assert explanation.expected_values.shape == (n_classes or 1,)
    assert (explanation.classes is None) == (n_classes is None)
    if n_classes == 2:
        values = explanation.local_importance_values
        np.testing.assert_allclose(values[0], -values[1], atol=1e-9)


def test_the_first_k_are_the_beginning_of_the_whole_ranking(case):
    data, _, _, rows, explanation = case
    methods = [
        "get_ranked_global_names",
        "get_ranked_global_values",
        "get_ranked_local_names",
        "get_ranked_local_values",
    ]
    if data != "diabetes":
        methods += ["get_ranked_per_class_names", "get_ranked_per_class_values"]
    for method in methods:
        whole = np.asarray(getattr(explanation, method)())
        for top_k in (1, 3, rows.shape[1], 100):
            np.testing.assert_array_equal(np.asarray(getattr(explanation, method)(top_k)), whole[..., :top_k])
    by_name = dict(zip(explanation.features, explanation.global_importance_values, strict=True))
    assert explanation.get_feature_importance_dict(3) == dict(
        sorted(by_name.items(), key=lambda item: -item[1])[:3]
    )  # fmt: skip


# ------------------------------------------------------------------ raw columns


def mixed(n=90, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "city": rng.choice(["Rome", "Oslo", "Bonn", "a=b_c"], n, p=[0.5, 0.3, 0.15, 0.05]),
            "age": rng.integers(18, 80, n).astype(float),
            "pay": rng.lognormal(size=n),
            "size": rng.choice(["S", "M", "L"], n),
            "rest": rng.normal(size=n),
        }
    )
    y = (X["city"] == "Oslo") + X["age"] / 40 + X["pay"] * (X["size"] == "L") + X["rest"] > 2.2
    return X, y.astype(int)


def bins(encode):
    return KBinsDiscretizer(4, encode=encode, quantile_method="averaged_inverted_cdf", subsample=None)


ENCODERS = {
    "dropped first": (OneHotEncoder(drop="first"), bins("onehot-dense"), "passthrough"),
    "dropped if binary, rare together": (OneHotEncoder(min_frequency=0.2), bins("onehot"), "passthrough"),
    "most categories": (OneHotEncoder(max_categories=2, handle_unknown="ignore"), bins("ordinal"), "passthrough"),
    "rest dropped": (OneHotEncoder(drop="if_binary"), StandardScaler(), "drop"),
}
PARENTS = {
    "dropped first": [0, 0, 0, 3, 3, 1, 1, 1, 1, 2, 4],
    "dropped if binary, rare together": [0, 0, 0, 3, 3, 3, 1, 1, 1, 1, 2, 4],
    "most categories": [0, 0, 3, 3, 1, 2, 4],
    "rest dropped": [0, 0, 0, 0, 3, 3, 3, 1, 2],
}
FINAL = {
    "trees": lightgbm.LGBMClassifier(n_estimators=8, num_leaves=5, verbose=-1, n_jobs=1),
    "linear": LogisticRegression(max_iter=500),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("final", FINAL)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_complex_raw_map_gives_each_raw_column_what_is_its_own(encoder, final):
    X, y = mixed()
    labels, numbers, rest = ENCODERS[encoder]
    encode = ColumnTransformer(
        [("labels", labels, ["city", "size"]), ("numbers", numbers, ["age"]), ("same", "passthrough", ["pay"])],
        remainder=rest,
        sparse_threshold=0,
    )
    model = make_pipeline(encode, FINAL[final]).fit(X, y)
    rows, background = X.iloc[:2], X.iloc[20:32]
    engineered = TabularExplainer(model, background).explain_local(rows)
    pooled = engineered.get_raw_explanation()
    assert pooled.features == tuple(X)
    assert pooled.is_raw
    values, parents = engineered.local_importance_values, np.array(PARENTS[encoder])
    by_hand = np.stack([values[..., parents == j].sum(axis=-1) for j in range(5)], axis=-1)
    np.testing.assert_allclose(pooled.local_importance_values, by_hand, atol=1e-12)

    last = model[-1]
    margin = (
        (lambda table: last.predict(encode.transform(table), raw_score=True))
        if final == "trees"
        else model.decision_function
    )
    raw = TabularExplainer(model, background, feature_space="raw").explain_local(rows)
    for i in range(len(rows)):
        truth = shapley_values(model_game(lambda t: np.asarray(margin(t))[:, None], rows.iloc[[i]], background), 5)
        np.testing.assert_allclose(raw.local_importance_values[1, i], truth[0], atol=1e-9)
    if final == "linear":  # without interactions the sum is exact
        np.testing.assert_allclose(raw.local_importance_values, pooled.local_importance_values, atol=1e-9)
    if rest == "drop":
        assert (raw.local_importance_values[..., 4] == 0).all()


def test_a_map_of_one_s_own_is_followed_where_columns_were_engineered_elsewhere():
    X, y = load_iris(return_X_y=True)
    explanation = TabularExplainer(RandomForestClassifier(5, random_state=0).fit(X, y), X).explain_local(X[:4])
    values = explanation.local_importance_values
    raw = explanation.get_raw_explanation(FeatureMap(("petal", "nothing", "sepal"), np.array([2, 2, 0, 0])))
    assert raw.features == ("petal", "nothing", "sepal")
    by_hand = [values[..., 2:].sum(axis=-1), np.zeros((3, 4)), values[..., :2].sum(axis=-1)]
    np.testing.assert_allclose(raw.local_importance_values, np.stack(by_hand, axis=-1))
    assert raw.additivity_error < 1e-12
    assert raw.get_raw_explanation() is raw
    with pytest.raises(InvalidInputError, match="must have 4 engineered columns"):
        explanation.get_raw_explanation(FeatureMap(("a",), np.zeros(3, int)))
