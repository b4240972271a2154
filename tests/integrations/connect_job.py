"""Explanations through Spark Connect, in a process of their own: prints the largest differences from the table in memory.

Run as ``python -m tests.integrations.connect_job``. A session of Spark Connect cannot live beside a classic one.
"""

import json
import sys

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from pyspark.sql import SparkSession

from automl_explain import TabularExplainer
from automl_explain.integrations.spark import explain_frame

NAMES = ["a", "b", "c"]


def main():
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(400, 3)), columns=NAMES)
    explainer = TabularExplainer(LGBMClassifier(n_estimators=5, verbose=-1).fit(rows, rows.a * rows.b > 0), rows[:50])
    spark = SparkSession.builder.remote("local[2]").getOrCreate()
    frame = spark.createDataFrame(rows)
    made = explain_frame(explainer, frame).toPandas()[[f"value of {name}" for name in NAMES]].to_numpy()
    known = explainer.explain_local(rows)
    values = known.local_importance_values[known.predictions.argmax(axis=1), np.arange(len(rows))]
    whole = explainer.explain_global(frame).global_importance_values
    found = {
        "session": type(spark).__module__,
        "error": float(np.abs(made - values).max()),
        "global error": float(np.abs(whole - known.global_importance_values).max()),
    }
    spark.stop()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
