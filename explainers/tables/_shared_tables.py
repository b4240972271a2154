"""Tables that the models of a search have in common, and what is made of them: once for all models."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from automl_explain.explainers.tables._table import RowNumbers, Table, as_table

MOST_KEPT = 32
"""Results that are kept: those that were used last."""


class SharedTables:
    """Pairs of tables, the caller's and what a preprocessing makes of it. Several threads use them at once.

    Parameters
    ----------
    pairs : iterable of (table, table)
        The caller's data and the engineered data.
    """

    def __init__(self, pairs: Iterable[tuple[Any, Any]] = ()) -> None:
        recent = _Recent()
        self._recent = recent
        self._pairs = [(own, _SharedTable(table.data, table.names, recent=recent))
                       for own, table in ((own, as_table(made)) for own, made in pairs)]  # fmt: skip

    def __reduce__(self) -> tuple[type[SharedTables], tuple[()]]:
        return SharedTables, ()  # another process has tables of its own

    def engineered(self, own: Any) -> Table | None:
        """Return the engineered table of the caller's data; None if it is not in one of the pairs."""
        return next((made for data, made in self._pairs if data is own), None)

    def once(self, data: Any, key: Hashable, make: Callable[[Any], Any]) -> Any:
        """Return what a function makes of data: once for each key if it is that of an engineered table or of its parts."""
        if not any(data is known for _, made in self._pairs for known in (made.data, *made.parts)):
            return make(data)
        return self._recent.get((id(data), key), data, lambda: make(data))


class _Recent:
    """The results that were used last, each kept with what it was made of, so that no other object gets its number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, tuple[Any, Any]] = OrderedDict()

    def get(self, key: Hashable, source: Any, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key][1]
        found = make()
        with self._lock:
            _, found = self._made.setdefault(key, (source, found))
            while len(self._made) > MOST_KEPT:
                self._made.popitem(last=False)
        return found


@dataclass(frozen=True, eq=False)
class _SharedTable(Table):
    """A table that many explainers read: of what they make of it, the results used last are kept."""

    recent: _Recent = field(default_factory=_Recent, repr=False)
    parts: list[Any] = field(default_factory=list, init=False, repr=False)
    """Data of the parts that were taken, which are few: explainers compare the same rows with each model."""

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        return self.recent.get((id(self), key), self, make)

    def part(self, rows: RowNumbers) -> Table:
        found: Table = self.once(("part", rows.tobytes()), lambda: self.take(rows))
        if not any(found.data is part for part in self.parts):
            self.parts.append(found.data)
            del self.parts[:-MOST_KEPT]
        return found
