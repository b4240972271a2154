"""LIMEExplainer: a linear model of the predictions around each row."""
