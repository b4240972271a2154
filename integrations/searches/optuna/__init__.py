"""Optuna: what an objective hands over of a trial, and which run of a history a trial or a study is."""
