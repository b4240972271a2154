"""The table behind `describe`: which function reads which class.

A class is named by its top-level package and its own name. The classes of a hierarchy are looked up nearest first, so that
a line for a base class applies to every subclass without a line of its own.
"""

_PLACE = "automl_explain.integrations"

READERS: dict[str, str] = {
    # anything with predict or predict_proba
    "builtins.object": f"{_PLACE}.readers.sklearn._estimators:describe",
    # scikit-learn: trees
    **dict.fromkeys(
        ("sklearn.BaseDecisionTree", "sklearn.BaseForest"), f"{_PLACE}.readers.sklearn._trees:describe_forest"
    ),
    "sklearn.HistGradientBoostingClassifier": f"{_PLACE}.readers.sklearn._histgb:describe_classifier",
    "sklearn.HistGradientBoostingRegressor": f"{_PLACE}.readers.sklearn._histgb:describe_regressor",
    "sklearn.BaseGradientBoosting": f"{_PLACE}.readers.sklearn._trees:describe_boosting",
    "sklearn.AdaBoostClassifier": f"{_PLACE}.readers.sklearn._trees:describe_adaboost",
    "sklearn.AdaBoostRegressor": f"{_PLACE}.readers.sklearn._trees:describe_adaboost_regressor",
    "sklearn.IsolationForest": f"{_PLACE}.readers.sklearn._trees:describe_isolation_forest",
    # boosters
    "lightgbm.LGBMModel": f"{_PLACE}.readers._lightgbm:describe",
    "lightgbm.Booster": f"{_PLACE}.readers._lightgbm:describe_booster",
    "xgboost.XGBModel": f"{_PLACE}.readers._xgboost:describe",
    "xgboost.Booster": f"{_PLACE}.readers._xgboost:describe_booster",
    "catboost.CatBoost": f"{_PLACE}.readers._catboost:describe",
    # scikit-learn: linear models
    **dict.fromkeys(
        ("sklearn.LinearModel", "sklearn.BaseSGDRegressor"),
        f"{_PLACE}.readers.sklearn._estimators:describe_linear_regressor",
    ),
    "sklearn.LinearClassifierMixin": f"{_PLACE}.readers.sklearn._estimators:describe_linear_classifier",
    "sklearn.MultinomialNB": f"{_PLACE}.readers.sklearn._estimators:describe_naive_bayes",
    "sklearn.ComplementNB": f"{_PLACE}.readers.sklearn._estimators:describe_naive_bayes",
    # scikit-learn: kernel machines
    "sklearn.BaseSVC": f"{_PLACE}.readers.sklearn._support_vectors:describe_svc",
    "sklearn.SVR": f"{_PLACE}.readers.sklearn._kernels:describe_svr",
    "sklearn.NuSVR": f"{_PLACE}.readers.sklearn._kernels:describe_svr",
    "sklearn.KernelRidge": f"{_PLACE}.readers.sklearn._kernels:describe_kernel_ridge",
    "sklearn.GaussianProcessRegressor": f"{_PLACE}.readers.sklearn._kernels:describe_gaussian_process",
    # scikit-learn: ensembles of whole models
    "sklearn._BaseVoting": f"{_PLACE}.readers.sklearn._ensembles:describe_voting",
    "sklearn._BaseStacking": f"{_PLACE}.readers.sklearn._ensembles:describe_stacking",
    "automl_explain.SoftVote": f"{_PLACE}.readers.sklearn._estimators:describe_soft_vote",
    "automl_explain.MeanVote": f"{_PLACE}.readers.sklearn._estimators:describe_linear_regressor",
    "sklearn.BaseBagging": f"{_PLACE}.readers.sklearn._bagging:describe_bagging",
    "sklearn.CalibratedClassifierCV": f"{_PLACE}.readers.sklearn._ensembles:describe_calibrated",
    "sklearn.TransformedTargetRegressor": f"{_PLACE}.readers.sklearn._ensembles:describe_transformed_target",
    "sklearn.FrozenEstimator": f"{_PLACE}.readers.sklearn._ensembles:describe_frozen",
    "sklearn.BaseThresholdClassifier": f"{_PLACE}.readers.sklearn._ensembles:describe_threshold",
    "sklearn._MultiOutputEstimator": f"{_PLACE}.readers.sklearn._ensembles:describe_targets",
    "sklearn.OneVsRestClassifier": f"{_PLACE}.readers.sklearn._ensembles:describe_one_vs_rest",
    # scikit-learn: pipelines and searches
    "sklearn.Pipeline": f"{_PLACE}.readers.sklearn._pipeline:describe",
    "sklearn.BaseSearchCV": f"{_PLACE}.readers.sklearn._pipeline:describe_search",
    "texts of sklearn.Pipeline": f"{_PLACE}.readers.sklearn._texts:read_pipeline",
    "texts of sklearn.BaseSearchCV": f"{_PLACE}.readers.sklearn._texts:read_search",
    "words in automl_explain.Transformers": f"{_PLACE}.readers.sklearn._texts:read_column",
    # neural networks
    "sklearn.MLPClassifier": f"{_PLACE}.readers.sklearn._perceptrons:describe_classifier",
    "sklearn.MLPRegressor": f"{_PLACE}.readers.sklearn._perceptrons:describe_regressor",
    "torch.Module": f"{_PLACE}.readers.neural._torch:describe",
    "skorch.NeuralNet": f"{_PLACE}.readers.neural._torch_estimators:describe_skorch",
    **dict.fromkeys(
        ("pytorch_tabnet.TabNetClassifier", "pytorch_tabnet.TabNetRegressor"),
        f"{_PLACE}.readers.neural._torch_estimators:describe_tabnet",
    ),
    **dict.fromkeys(("keras.Model", "tf_keras.Model"), f"{_PLACE}.readers.neural._keras:describe"),
    **dict.fromkeys(
        ("tensorflow.Module", "tensorflow.AutoTrackable", "tensorflow.Function", "tensorflow.ConcreteFunction"),
        f"{_PLACE}.readers.neural._tensorflow:describe",
    ),
    **dict.fromkeys(
        ("tensorflow.Tensor", "tensorflow.Operation", "tensorflow.BaseSession"),
        f"{_PLACE}.readers.neural._tensorflow:refuse_graph",
    ),
    "function of tensorflow.Tensor": f"{_PLACE}.readers.neural._tensorflow:describe_function",
    "function of jaxlib.ArrayImpl": f"{_PLACE}.readers.neural._jax:describe_function",
    "function of numpy.ndarray": f"{_PLACE}.readers.neural._array_function:describe",
    "function of torch.Tensor": f"{_PLACE}.readers.neural._torch:describe_function",
    # other AutoML libraries
    "autogluon.TabularPredictor": f"{_PLACE}.readers.automl._autogluon:describe",
    "supervised.AutoML": f"{_PLACE}.readers.automl._mljar:describe",
    **dict.fromkeys(("tpot.TPOTEstimator", "tpot.TPOTEstimatorSteadyState"), f"{_PLACE}.readers.automl._tpot:describe"),
    "h2o.H2OAutoML": f"{_PLACE}.readers.automl._h2o:describe_automl",
    "h2o.ModelBase": f"{_PLACE}.readers.automl._h2o:describe",
    # Spark ML
    **dict.fromkeys(
        (
            "pyspark.DecisionTreeClassificationModel",
            "pyspark.DecisionTreeRegressionModel",
            "pyspark.RandomForestClassificationModel",
            "pyspark.RandomForestRegressionModel",
            "pyspark.GBTClassificationModel",
            "pyspark.GBTRegressionModel",
        ),
        f"{_PLACE}.readers.spark._models:describe_trees",
    ),
    **dict.fromkeys(
        ("pyspark.LinearRegressionModel", "pyspark.LogisticRegressionModel", "pyspark.LinearSVCModel"),
        f"{_PLACE}.readers.spark._models:describe_linear",
    ),
    **dict.fromkeys(
        ("synapse.LightGBMClassificationModel", "synapse.LightGBMRegressionModel", "synapse.LightGBMRankerModel"),
        f"{_PLACE}.readers.spark._models:describe_lightgbm",
    ),
    "pyspark.PipelineModel": f"{_PLACE}.readers.spark._pipeline:describe",
    **dict.fromkeys(
        ("pyspark.CrossValidatorModel", "pyspark.TrainValidationSplitModel"),
        f"{_PLACE}.readers.spark._pipeline:describe_best",
    ),
    "pyspark.Estimator": f"{_PLACE}.readers.spark._models:refuse_estimator",
    "pyspark.Model": f"{_PLACE}.readers.spark._models:refuse_model",
    # FLAML
    "flaml.AutoML": f"{_PLACE}.readers._flaml:describe_automl",
    "flaml.BaseEstimator": f"{_PLACE}.readers._flaml:describe_wrapper",
}
