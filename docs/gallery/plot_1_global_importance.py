"""
Which columns matter
====================

:func:`~automl_explain.plot_global_importance` draws the mean absolute Shapley value of each column, here with the parts of
two classes that a patient may belong to.
"""

from lightgbm import LGBMClassifier
from sklearn.datasets import load_breast_cancer

from automl_explain import explain_model, plot_global_importance

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
model = LGBMClassifier(n_estimators=40, num_leaves=7, verbose=-1).fit(
    X[:400], y[:400]
)
explained = explain_model(model, X[:400], X[400:], classes=["malignant", "benign"])

plot_global_importance(explained)
