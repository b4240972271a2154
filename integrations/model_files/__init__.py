"""Fitted models out of files: skops, LightGBM, XGBoost, CatBoost, ONNX, and pickles on request."""
