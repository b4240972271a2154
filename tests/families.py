# ruff: noqa: E501  a model a line
"""Fitted models of every family that TabularExplainer tells apart, on small data: one list for all common checks."""

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC

from automl_explain.integrations._vote import MeanVote, SoftVote

N_FEATURES = 5


def table(kind: str = "array", n: int = 120, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, N_FEATURES))
    X[:, 4] = np.round(X[:, 4])
    if kind == "array":
        return X
    frame = pd.DataFrame(X, columns=["age", "income", "debt", "score", "visits"])
    if kind == "mixed":
        frame["visits"] = pd.Categorical.from_codes((np.abs(frame["visits"]).astype(int)) % 3, ["none", "few", "many"])
    return frame


def target(X: Any, task: str) -> np.ndarray:
    frame = pd.DataFrame(X).copy()
    last = frame.iloc[:, 4]
    code = last.cat.codes.to_numpy() if isinstance(last.dtype, pd.CategoricalDtype) else last.to_numpy()
    numbers = frame.iloc[:, :4].to_numpy(dtype=float)
    score = numbers[:, 0] * 2 + numbers[:, 1] * numbers[:, 2] + 0.5 * code
    if task == "regression":
        return score
    if task == "binary":
        return np.where(score > 0, "yes", "no")
    return np.digitize(score, np.quantile(score, [0.33, 0.66])) * 10


@dataclass(frozen=True)
class Family:
    """A model, the table it is fitted on, its task, and what is expected of the explainer."""

    name: str
    model: Any
    task: str
    method: str
    space: str
    kind: str = "array"
    atol: float = 1e-9

    def fitted(self):
        X = table(self.kind)
        y = target(X, self.task)
        if isinstance(self.model, xgboost.XGBClassifier):
            y = np.unique(y, return_inverse=True)[1]
        return self.model.fit(X, y), X


def _pipe(model):
    encode = ColumnTransformer(
        [("number", StandardScaler(), ["age", "income", "debt", "score"]), ("label", OneHotEncoder(), ["visits"])]
    )
    return make_pipeline(encode, model)


def _first(model):
    """A model over the first three columns alone."""
    return make_pipeline(ColumnTransformer([("number", StandardScaler(), [0, 1, 2])]), model)


LGBM = {"n_estimators": 12, "num_leaves": 7, "min_child_samples": 5, "verbose": -1, "n_jobs": 1}
XGB = {"n_estimators": 12, "max_depth": 3, "n_jobs": 1}
FOREST = {"n_estimators": 8, "max_depth": 4, "random_state": 0}

LGBMC, LGBMR = lightgbm.LGBMClassifier(**LGBM), lightgbm.LGBMRegressor(**LGBM)
RF = RandomForestClassifier(**FOREST)

FAMILIES = [
    Family("lgbm-binary", lightgbm.LGBMClassifier(**LGBM), "binary", "tree", "log_odds"),
    Family("lgbm-multiclass", lightgbm.LGBMClassifier(**LGBM), "multiclass", "tree", "log_odds"),
    Family("lgbm-regression-mixed", lightgbm.LGBMRegressor(**LGBM), "regression", "tree", "response", "mixed"),
    Family("xgb-binary", xgboost.XGBClassifier(**XGB), "binary", "tree", "log_odds", atol=1e-5),
    Family("xgb-multiclass", xgboost.XGBClassifier(**XGB), "multiclass", "tree", "log_odds", "frame", atol=1e-5),
    Family("xgb-regression", xgboost.XGBRegressor(**XGB), "regression", "tree", "response", atol=1e-5),
    Family("forest-binary", RandomForestClassifier(**FOREST), "binary", "tree", "probability", "frame"),
    Family("forest-multiclass", ExtraTreesClassifier(**FOREST), "multiclass", "tree", "probability"),
    Family("forest-regression", RandomForestRegressor(**FOREST), "regression", "tree", "response"),
    Family("boosting-multiclass", GradientBoostingClassifier(n_estimators=8), "multiclass", "tree", "log_odds"),
    Family("histgb-regression", HistGradientBoostingRegressor(max_iter=8, min_samples_leaf=5), "regression", "tree", "response"),
    Family("logistic-binary", LogisticRegression(), "binary", "linear", "log_odds", "frame"),
    Family("logistic-multiclass", LogisticRegression(), "multiclass", "linear", "log_odds"),
    Family("linear-regression", LinearRegression(), "regression", "linear", "response", "frame"),
    Family("elastic-net", ElasticNet(alpha=0.01), "regression", "linear", "response"),
    Family("linear-svc", LinearSVC(), "binary", "linear", "margin"),
    Family("sgd-log", SGDClassifier(loss="log_loss", random_state=0), "multiclass", "linear", "log_odds"),
    Family("pipeline-linear", _pipe(LogisticRegression()), "binary", "linear", "log_odds", "mixed"),
    Family("pipeline-forest", _pipe(RandomForestRegressor(**FOREST)), "regression", "tree", "response", "mixed"),
    Family("search", GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2), "regression", "linear", "response", "frame"),
    Family("svc", SVC(), "multiclass", "ensemble", "margin"),
    Family("svc-binary", SVC(), "binary", "rbf", "margin", "frame"),
    Family("svc-linear", SVC(kernel="linear"), "binary", "linear", "margin"),
    Family("svc-polynomial", SVC(kernel="poly"), "binary", "kernel", "margin"),
    Family("svr", SVR(), "regression", "rbf", "response"),
    Family("kernel-ridge", KernelRidge(kernel="rbf"), "regression", "rbf", "response"),
    # Without an optimizer: it ends at the noise's lower bound, where predictions themselves round at 1e-8.
    Family("gaussian-process", GaussianProcessRegressor(2.0 * RBF(np.arange(1.0, 6.0)) + WhiteKernel(), normalize_y=True, optimizer=None), "regression", "rbf", "response"),
    Family("pipeline-svc", _pipe(SVC()), "binary", "rbf", "margin", "mixed"),
    Family("stack-kernel-machines", StackingRegressor([("a", SVR()), ("b", KernelRidge(kernel="rbf"))], LGBMR, cv=3), "regression", "ensemble", "response"),
    Family("knn-binary", KNeighborsClassifier(), "binary", "kernel", "probability", "frame"),
    Family("knn-regression", KNeighborsRegressor(), "regression", "kernel", "response"),
    Family("naive-bayes", GaussianNB(), "multiclass", "kernel", "probability"),
    Family("mlp", MLPRegressor(hidden_layer_sizes=(8,), max_iter=50, random_state=0), "regression", "coalitions", "response"),
    Family("vote-regression", VotingRegressor([("a", LGBMR), ("b", Ridge()), ("c", KNeighborsRegressor())]), "regression", "mixture", "response"),
    Family("vote-soft-forests", VotingClassifier([("a", RF), ("b", ExtraTreesClassifier(**FOREST))], voting="soft", weights=[1, 3]), "multiclass", "mixture", "probability"),
    Family("vote-soft-boosters", VotingClassifier([("a", LGBMC), ("b", RF), ("c", LogisticRegression())], voting="soft"), "binary", "ensemble", "probability"),
    Family("stack-soft-vote", StackingClassifier([("a", RF), ("b", ExtraTreesClassifier(**FOREST))], SoftVote(), cv=3), "multiclass", "mixture", "probability"),
    Family("stack-soft-vote-binary", StackingClassifier([("a", LGBMC), ("b", RF)], SoftVote(), cv=3), "binary", "ensemble", "probability"),
    Family("stack-mean-vote", StackingRegressor([("a", LGBMR), ("b", Ridge())], MeanVote(), cv=3), "regression", "mixture", "response"),
    Family("stack-logistic-forests", StackingClassifier([("a", RF), ("b", ExtraTreesClassifier(**FOREST))], LogisticRegression(), cv=3), "binary", "mixture", "log_odds"),
    Family("stack-logistic-passthrough", StackingClassifier([("a", RF), ("b", ExtraTreesClassifier(**FOREST))], LogisticRegression(max_iter=5000), cv=3, passthrough=True), "multiclass", "mixture", "log_odds"),
    Family("stack-logistic-any", StackingClassifier([("a", RF), ("b", LGBMC), ("c", KNeighborsClassifier())], LogisticRegression(), cv=3), "binary", "ensemble", "probability"),
    Family("stack-svc", StackingClassifier([("a", RF), ("b", SVC())], LogisticRegression(), cv=3), "binary", "mixture", "log_odds"),
    Family("stack-booster", StackingClassifier([("a", LGBMC), ("b", RF)], LGBMC, cv=3, passthrough=True), "binary", "ensemble", "probability"),
    Family("stack-booster-multiclass", StackingClassifier([("a", LGBMC), ("b", RF)], LGBMC, cv=3), "multiclass", "ensemble", "probability"),
    Family("stack-ridge", StackingRegressor([("a", LGBMR), ("b", RandomForestRegressor(**FOREST)), ("c", Ridge())], Ridge(), cv=3, passthrough=True), "regression", "mixture", "response", "frame"),
    Family("stack-regression-booster", StackingRegressor([("a", LGBMR), ("b", KNeighborsRegressor())], LGBMR, cv=3), "regression", "ensemble", "response"),
    Family("stack-dropped-member", StackingRegressor([("a", "drop"), ("b", Ridge()), ("c", RandomForestRegressor(**FOREST))], Ridge(), cv=3), "regression", "mixture", "response"),
    Family("bagged-ridge", BaggingRegressor(Ridge(), n_estimators=4, max_features=3, random_state=0), "regression", "mixture", "response"),
    Family("bagged-logistic", BaggingClassifier(LogisticRegression(), n_estimators=3, random_state=0), "multiclass", "ensemble", "probability"),
    Family("bagged-knn", BaggingClassifier(KNeighborsClassifier(), n_estimators=3, max_features=0.6, random_state=0), "binary", "mixture", "probability"),
    Family("calibrated-booster", CalibratedClassifierCV(LGBMC, cv=3), "binary", "ensemble", "probability"),
    Family("calibrated-forest", CalibratedClassifierCV(RF, cv=3, method="isotonic"), "multiclass", "ensemble", "probability"),
    Family("transformed-target", TransformedTargetRegressor(LGBMR, func=np.arcsinh, inverse_func=np.sinh), "regression", "ensemble", "response"),
    Family("scaled-target", TransformedTargetRegressor(LGBMR, transformer=StandardScaler()), "regression", "mixture", "response"),
    Family("plain-target", TransformedTargetRegressor(Ridge()), "regression", "mixture", "response"),
    Family("stack-over-first-columns", StackingRegressor([("a", _first(StackingRegressor([("a", LGBMR), ("b", Ridge())], LGBMR, cv=3, passthrough=True))), ("b", RandomForestRegressor(**FOREST))], LGBMR, cv=3, passthrough=True), "regression", "ensemble", "response"),
    Family("stack-over-first-columns-multiclass", StackingClassifier([("a", _first(StackingClassifier([("a", LGBMC), ("b", RF)], LGBMC, cv=3, passthrough=True))), ("b", RF)], LGBMC, cv=3), "multiclass", "ensemble", "probability"),
    Family("one-vs-rest", OneVsRestClassifier(LGBMC), "multiclass", "ensemble", "probability"),
    Family("nested", VotingRegressor([("a", StackingRegressor([("a", LGBMR), ("b", Ridge())], Ridge(), cv=3)), ("b", RandomForestRegressor(**FOREST))]), "regression", "mixture", "response"),
]  # fmt: skip
