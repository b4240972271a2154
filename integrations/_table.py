"""Which reader describes the objects of which class: `READERS`, the one list of everything that can be explained.

Keys are ``package.Class``; a subclass is read as its nearest listed parent. Values name a function from the fitted
object to a `FittedModel`; the module is imported when the first such object comes.
"""

from __future__ import annotations

READERS: dict[str, str] = {
    # LightGBM
    "lightgbm.Booster": "automl_explain.integrations._lightgbm:describe_booster",
    "lightgbm.LGBMClassifier": "automl_explain.integrations._lightgbm:describe",
    "lightgbm.LGBMRanker": "automl_explain.integrations._lightgbm:describe",
    "lightgbm.LGBMRegressor": "automl_explain.integrations._lightgbm:describe",
    # XGBoost
    "xgboost.Booster": "automl_explain.integrations._xgboost:describe_booster",
    "xgboost.XGBClassifier": "automl_explain.integrations._xgboost:describe",
    "xgboost.XGBRanker": "automl_explain.integrations._xgboost:describe",
    "xgboost.XGBRegressor": "automl_explain.integrations._xgboost:describe",
    "xgboost.XGBRFClassifier": "automl_explain.integrations._xgboost:describe",
    "xgboost.XGBRFRegressor": "automl_explain.integrations._xgboost:describe",
    # CatBoost
    "catboost.CatBoost": "automl_explain.integrations._catboost:describe",
    "catboost.CatBoostClassifier": "automl_explain.integrations._catboost:describe",
    "catboost.CatBoostRanker": "automl_explain.integrations._catboost:describe",
    "catboost.CatBoostRegressor": "automl_explain.integrations._catboost:describe",
    # scikit-learn: trees and sums of trees
    "sklearn.AdaBoostClassifier": "automl_explain.integrations._sklearn_trees:describe_adaboost",
    "sklearn.AdaBoostRegressor": "automl_explain.integrations._sklearn_trees:describe_adaboost_regressor",
    "sklearn.BaggingClassifier": "automl_explain.integrations._sklearn_trees:describe_bagging",
    "sklearn.BaggingRegressor": "automl_explain.integrations._sklearn_trees:describe_bagging",
    "sklearn.DecisionTreeClassifier": "automl_explain.integrations._sklearn_trees:describe_forest",
    "sklearn.DecisionTreeRegressor": "automl_explain.integrations._sklearn_trees:describe_forest",
    "sklearn.ExtraTreeClassifier": "automl_explain.integrations._sklearn_trees:describe_forest",
    "sklearn.ExtraTreeRegressor": "automl_explain.integrations._sklearn_trees:describe_forest",
    "sklearn.ExtraTreesClassifier": "automl_explain.integrations._sklearn_trees:describe_forest",
    "sklearn.ExtraTreesRegressor": "automl_explain.integrations._sklearn_trees:describe_forest",
    "sklearn.GradientBoostingClassifier": "automl_explain.integrations._sklearn_trees:describe_boosting",
    "sklearn.GradientBoostingRegressor": "automl_explain.integrations._sklearn_trees:describe_boosting",
    "sklearn.HistGradientBoostingClassifier": "automl_explain.integrations._sklearn_histgb:describe_classifier",
    "sklearn.HistGradientBoostingRegressor": "automl_explain.integrations._sklearn_histgb:describe_regressor",
    "sklearn.IsolationForest": "automl_explain.integrations._sklearn_trees:describe_isolation_forest",
    "sklearn.RandomForestClassifier": "automl_explain.integrations._sklearn_trees:describe_forest",
    "sklearn.RandomForestRegressor": "automl_explain.integrations._sklearn_trees:describe_forest",
}
