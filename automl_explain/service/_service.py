"""The service behind the routes: models with their readers, the work of a request, readiness."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.service._metrics import Metrics
from automl_explain.service._problems import RequestError
from automl_explain.service._settings import ServiceLimits
from automl_explain.service._workers import HUNG, Deadline, Workers
from automl_explain.service.models._importance import RollingImportance
from automl_explain.service.models._row_blocks import score_blocks
from automl_explain.service.models._served_model import ServedModel
from automl_explain.service.protocols._bodies import Body, Parse, Reply
from automl_explain.service.protocols._protocol import Answered, Protocol
from automl_explain.service.protocols._tables import TableReader

LOGGER = logging.getLogger("automl_explain.service")


@dataclass(frozen=True, eq=False)
class Served:
    """A model with what the service keeps for it."""

    name: str
    model: ServedModel
    reader: TableReader
    importance: RollingImportance


class Service:
    """Models by name, and the threads that score.

    Parameters
    ----------
    models : mapping
        Name -> model; the first one answers where a route names none.
    limits : ServiceLimits

    Raises
    ------
    InvalidInputError
        If there is no model, or a name cannot stand in a path.
    """

    def __init__(self, models: Mapping[str, ServedModel], limits: ServiceLimits) -> None:
        if not models:
            raise InvalidInputError("A service needs at least one bundle. Got none.")
        for name in models:
            if not isinstance(name, str) or not name or not all(c.isalnum() or c in "-_." for c in name):
                raise InvalidInputError(
                    f"The name of a bundle has letters, digits, '-', '_' and '.' only. Got {name!r}."
                )
        self.limits = limits
        self.served = {
            name: Served(name, model, TableReader(model, limits.max_rows), RollingImportance(model, limits.half_life))
            for name, model in models.items()
        }
        self.metrics = Metrics(
            {name: model.version for name, model in models.items()},
            {name: one.importance for name, one in self.served.items()},
        )
        self.workers = Workers(limits.threads, limits.max_waiting)
        self.metrics.pending.set_function(lambda: self.workers.pending)
        self.metrics.ready.set_function(lambda: self.unready() is None)
        self._warm, self._why = False, "the models are being loaded"

    def find(self, name: str | None) -> Served:
        """Return a model by name; the first one without a name.

        Raises
        ------
        RequestError
            404 if there is no such model.
        """
        if name is None:
            return next(iter(self.served.values()))
        if name not in self.served:
            raise RequestError(404, f"There is no model of this name. Models: {', '.join(self.served)}.")
        return self.served[name]

    def start(self) -> None:
        """Score a row of each model in a thread; the service is ready when this has succeeded."""
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()

    def _warm_up(self) -> None:
        try:
            for one in self.served.values():
                one.model.warm_up()
        except Exception:  # whatever a model raises, the service says that it is not ready
            LOGGER.exception("the warm-up failed")
            self._why = "the warm-up failed; the log of the service says why"
            return
        self._warm = True

    def unready(self) -> str | None:
        """Return why requests are not to be sent here; None if they are."""
        if not self._warm:
            return self._why
        return "all threads are past their deadline" if self.workers.late() > 0 else None

    def dead(self) -> str | None:
        """Return why the process is to be restarted; None if it is well."""
        return "all threads hang" if self.workers.late() > HUNG - 1 else None

    async def answer(self, protocol: Protocol, name: str | None, media: str, body: Body) -> Reply:
        """Return the answer to a request whose body has one of the protocol's media types.

        Raises
        ------
        RequestError
            If there is none.
        """
        served = self.find(name)
        if not self._warm:
            raise RequestError(503, f"The service is not ready: {self._why}.", headers={"Retry-After": "1"})
        return await self.workers.run(
            lambda deadline: self._work(protocol, served, protocol.media[media], body, deadline), self.limits.deadline
        )

    def _work(self, protocol: Protocol, served: Served, parse: Parse, body: Body, deadline: Deadline) -> Reply:
        asked = protocol.read(parse(body, served.reader), served.reader)
        scored = score_blocks(served.model, asked.cells, asked.explain, self.limits.block_rows, deadline.check)
        document: dict[str, Any] = protocol.answer(Answered(served.name, served.model, asked, scored))
        deadline.check()
        self.metrics.rows.labels(served.name, protocol.name).inc(len(scored.predictions))
        if scored.values is not None and scored.base_values is not None:
            served.importance.add(scored.values, scored.base_values)
        return protocol.reply(document)
