"""How much the models of a search may take, in memory and in files."""

from __future__ import annotations

GIB = 2**30


def released(limit: float) -> str:
    """Return why a model is not kept."""
    return f"its model was released to stay under memory_limit={limit} GiB"
