"""Data sets and models from the peers' tests: values add up to the predictions, and rankings are consistent."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC, SVR
from xgboost import XGBClassifier, XGBRegressor

from automl_explain import SamplingOptions, TabularExplainer

DATASETS = {"breast_cancer": load_breast_cancer, "iris": load_iris, "diabetes": load_diabetes}
CLASSIFIERS = {
    "forest": RandomForestClassifier(20, random_state=0), "svm": SVC(gamma=0.001, C=100),
    "xgboost": XGBClassifier(n_estimators=20), "lightgbm": LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1),
}  # fmt: skip
REGRESSORS = {
    "forest": RandomForestRegressor(20, random_state=0), "svm": SVR(C=100),
    "xgboost": XGBRegressor(n_estimators=20), "lightgbm": LGBMRegressor(n_estimators=20, verbose=-1, n_jobs=1),
}  # fmt: skip


@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize("dataset", DATASETS)
def test_values_add_up_to_the_predictions_and_rankings_hold_together(dataset, kind):
    data = DATASETS[dataset]()
    train, test, labels, _ = train_test_split(data.data, data.target, test_size=0.2, random_state=7)
    model = clone((REGRESSORS if dataset == "diabetes" else CLASSIFIERS)[kind]).fit(train, labels)
    features = [str(name) for name in data.feature_names]
    explainer = TabularExplainer(
        model, train, sampling=SamplingOptions(nsamples=200, background_size=20), features=features
    )
    explanation = explainer.explain_local(test[:3])
    total = explanation.local_importance_values.sum(axis=-1)
    total = (total[:, None] if explanation.classes is None else total.T) + explanation.expected_values
    if explanation.output_space == "response":
        own = model.predict(test[:3])[:, None]
    elif explanation.output_space == "probability":
        own = model.predict_proba(test[:3])
    elif kind == "svm":
        own = np.reshape(model.decision_function(test[:3]), (3, -1))
    else:
        own = model.predict(test[:3], **{"xgboost": {"output_margin": True}, "lightgbm": {"raw_score": True}}[kind])
        own = np.reshape(own, (3, -1))
    np.testing.assert_allclose(total[:, -own.shape[1] :], own, rtol=1e-5, atol=1e-4)
    names, values = explanation.get_ranked_global_names(), explanation.get_ranked_global_values()
    assert sorted(names) == sorted(features)
    assert (np.diff(values) <= 0).all()
    for k in (1, 2, len(features)):
        assert explanation.get_ranked_global_names(top_k=k) == names[:k]
        local = explanation.get_ranked_local_names(top_k=k)
        assert np.array_equal(local, explanation.get_ranked_local_names()[..., :k])
