"""Arrow tables as frames whose texts are coded."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd


def as_coded_frame(table: Any, names: Collection[str]) -> pd.DataFrame:
    """Return an Arrow table as a frame. The texts of some columns become categories, which are looked up once, not by cell.

    Parameters
    ----------
    table : pyarrow.Table
    names : collection of str
        Columns whose texts become categories.
    """
    for position, field in enumerate(table.schema):
        if field.name in names and is_text(field.type):
            table = table.set_column(position, field.name, table.column(position).dictionary_encode())
    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    return frame


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is a text."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
