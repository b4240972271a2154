"""Ray Data: the rows of a Dataset are explained by the workers of the cluster.

>>> from automl_explain.integrations.ray import explain_dataset
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from automl_explain.explainers._errors import MissingExtraError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.scoring._row_columns import RowColumns, block_rows
from automl_explain.explainers.tables._arrow_tables import as_coded_frame
from automl_explain.integrations.partitions._remote import remote
from automl_explain.integrations.partitions._shipment import (
    explained_arrow,
    merged_bytes,
    pack,
    partial_bytes,
    read_columns,
    unpack,
)


def explain_dataset(explainer: Any, dataset: Any, columns: RowColumns | None = None) -> Any:
    """Explain the rows of a Ray Dataset.

    Parameters
    ----------
    explainer : ScoringExplainer or explainer of Shapley values
        It lies in the object store as data and is read once by each worker process.
    dataset : ray.data.Dataset
        The columns of the model and others.
    columns : RowColumns, optional
        Which columns the result has. Default: those of `dataset`, then the prediction, the probabilities, and the value of
        each feature for the predicted class.

    Returns
    -------
    ray.data.Dataset
        Computed when it is used. An error names the row in its block.

    Raises
    ------
    ColumnMismatchError
        If columns are missing.
    UnsupportedModelError
        If only this process can explain with the model, such as a function of Python.
    MissingExtraError
        If Ray Data is not installed.

    Examples
    --------
    >>> explained = explain_dataset(explainer, ray.data.read_parquet("year/"))  # doctest: +SKIP
    >>> explained.write_parquet("explained/")  # doctest: +SKIP
    """
    ray = _ray()
    scorer, shipment = pack(explainer)
    columns = read_columns(columns, dataset.columns() or scorer.schema.names, scorer)
    task = remote(__name__, "_explained_block", "ray", asdict(columns), ray.put(tuple(shipment)))
    return dataset.map_batches(task, batch_format="pyarrow", batch_size=block_rows(scorer), num_cpus=1)


def explain_whole(explainer: Any, dataset: Any) -> Explanation:
    """Return the global importance of a Ray Dataset, merged over its blocks, without the values of rows.

    ``explainer.explain_global(dataset)`` calls it; a scoring explainer that was loaded from a bundle is passed to it directly.

    Parameters
    ----------
    explainer : ScoringExplainer or explainer of Shapley values
        It lies in the object store as data and is read once by each worker process.
    dataset : ray.data.Dataset
        The columns of the model; others are left out.

    Returns
    -------
    Explanation
        Without the values of rows; its `global_importance` has intervals. An error names the row in its block.

    Raises
    ------
    ColumnMismatchError
        If columns are missing.
    UnsupportedModelError
        If only this process can explain with the model, such as a function of Python.
    MissingExtraError
        If Ray Data is not installed.

    Examples
    --------
    >>> whole = explain_whole(explainer, ray.data.read_parquet("year/"))  # doctest: +SKIP
    >>> whole.global_importance().to_frame()  # doctest: +SKIP
    """
    ray = _ray()
    scorer, shipment = pack(explainer)
    names = scorer.schema.found_in(dataset.columns() or scorer.schema.names, "The table")
    task = remote(__name__, "_partial_block", "ray", list(names), ray.put(tuple(shipment)))
    parts = dataset.map_batches(task, batch_format="pyarrow", batch_size=None, num_cpus=1)
    return merged_bytes(row["part"] for row in parts.iter_rows())


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("Explaining Ray datasets needs Ray Data: pip install 'automl-explain[ray]'") from error
    return ray


# ---------------------------------------------------------------------------------------------------------- in the workers


def _explained_block(columns: dict[str, Any], sent: Any, table: Any) -> Any:
    """Return the explained rows of a block."""
    import ray

    return explained_arrow(unpack(*ray.get(sent)), RowColumns(**columns), table, "A block of the dataset")


def _partial_block(names: list[str], sent: Any, table: Any) -> dict[str, list[bytes]]:
    """Return the importance of a block, as one row; none for an empty block."""
    import ray

    scorer = unpack(*ray.get(sent))
    part = partial_bytes(scorer, [as_coded_frame(table.select(names), names)], "A block of the dataset")
    return {"part": [] if part is None else [part]}
