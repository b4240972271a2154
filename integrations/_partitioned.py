"""The table behind `explain_global` of tables in partitions: which function explains which class."""

_PLACE = "automl_explain.integrations"

PARTITIONED: dict[str, str] = {
    "pyarrow.Dataset": f"{_PLACE}.partitions._arrow_batches:explain_dataset",
    "pyarrow.Scanner": f"{_PLACE}.partitions._arrow_batches:explain_dataset",
    "pyarrow.RecordBatchReader": f"{_PLACE}.partitions._arrow_batches:explain_reader",
    "pyspark.DataFrame": f"{_PLACE}.spark:explain_whole",
    "dask.DataFrame": f"{_PLACE}.dask:explain_whole",
    "ray.Dataset": f"{_PLACE}.ray:explain_whole",
}
