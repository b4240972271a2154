"""Datasets and streams of Arrow, explained as a whole, a batch at a time in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.scoring._kinds import choose_scoring_explainer
from automl_explain.explainers.scoring._row_columns import BLOCK_ROWS
from automl_explain.explainers.tables._arrow_tables import as_coded_frame
from automl_explain.integrations.partitions._shipment import importance_of


def explain_dataset(explainer: Any, dataset: Any) -> Explanation:
    """Return the global values of a `pyarrow.dataset.Dataset` or `Scanner`, in constant memory."""
    options = {"batch_size": BLOCK_ROWS} if hasattr(dataset, "get_fragments") else {}
    return explain_reader(explainer, dataset.to_batches(**options))


def explain_reader(explainer: Any, batches: Iterable[Any]) -> Explanation:
    """Return the global values of the batches of a `pyarrow.RecordBatchReader`, in constant memory."""
    import pyarrow as pa

    scorer = choose_scoring_explainer(explainer)

    def frames() -> Iterator[pd.DataFrame]:
        for batch in batches:
            rows = as_coded_frame(pa.Table.from_batches([batch]), scorer.schema.names)
            yield rows[list(scorer.schema.found_in([str(name) for name in rows.columns], "The table"))]

    return importance_of(scorer, frames(), "The table").explanation()
