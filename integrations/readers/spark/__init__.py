"""Readers of Spark ML: its trees, linear models and pipelines, read through the Java objects behind them."""
