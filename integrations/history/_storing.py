"""How an explanation comes into a history: its file is complete before the index refers to it, and no file stays without."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from automl_explain.explainers._errors import HistoryError, RunNotFoundError
from automl_explain.explainers._processes import part_of
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._storage import EncodedRows, save_values
from automl_explain.explainers.stored._any_explanation import AnyExplanation
from automl_explain.integrations.history._entry_files import Writable, remove_unknown
from automl_explain.integrations.history._shared_rows import put_rows
from automl_explain.integrations.history.index_tables._part_losses import put_part_losses
from automl_explain.integrations.history.index_tables._progress import as_json
from automl_explain.integrations.history.index_tables._schema import EXPLANATIONS
from automl_explain.integrations.sealed._places import place_of

TOP = 5
"""Most important features kept in the index, for tables of runs."""
EXPLAINED = "UPDATE runs SET status = 'explained', why = '', seconds = COALESCE(?, seconds), top = ? WHERE id = ?"


class NewExplanation(NamedTuple):
    """An explanation of a run, with what `RunHistory.store` was told of it.

    Parameters
    ----------
    run_id, search : str
    explanation : AnyExplanation
    rows : EncodedRows or None
        Its rows, if they are stored in a file of their own.
    comment : str
    seconds : float or None
    part_losses : sequence of float
    """

    run_id: str
    search: str
    explanation: AnyExplanation
    rows: EncodedRows | None
    comment: str
    seconds: float | None
    part_losses: Sequence[float]


def put_explanation(history: Writable, new: NewExplanation) -> str:
    """Store an explanation, mark its run as explained, and return the explanation's id.

    Raises
    ------
    RunNotFoundError
        If the run was removed meanwhile.
    HistoryError
        If the explanation cannot be written.
    """
    explanation_id = f"{new.run_id}-{secrets.token_hex(3)}"
    file = place_of(history.directory, EXPLANATIONS, explanation_id, ".zip")
    written, top = part_of(file), as_json(_most_important(new.explanation))
    try:
        if new.rows is not None and isinstance(new.explanation, Explanation):
            save_values(written, new.explanation, new.explanation.members, new.rows.digest)
        else:
            new.explanation.save(written)
        _put(history, new, explanation_id, top, written, file)
    except BaseException as error:
        with contextlib.suppress(HistoryError, OSError):  # the first error tells more
            written.unlink(missing_ok=True)
            if file.exists():
                with history.alone() as connection:
                    remove_unknown(connection, history.directory, [new.search])
        if not isinstance(error, OSError):
            raise
        raise HistoryError(
            f"The explanation of run {new.run_id} cannot be written to {history.directory}: {error}."
        ) from error
    return explanation_id


def _put(history: Writable, new: NewExplanation, explanation_id: str, top: str, written: Path, file: Path) -> None:
    """Give the file of an explanation its name and enter it into the index."""
    with history.alone() as connection:  # no other process may remove the run or the rows in the meantime
        marked = connection.execute(EXPLAINED, (new.seconds, top, new.run_id))
        if not marked.rowcount:
            raise RunNotFoundError(f"The run {new.run_id} was removed while its explanation was written.")
        written.replace(file)  # here: whoever removes files that the index lacks waits
        if new.rows is not None:
            put_rows(connection, file.parent, explanation_id, new.rows)
        connection.execute(
            "INSERT INTO explanations VALUES (?, ?, ?, ?, ?)",
            (explanation_id, new.run_id, time.time(), new.comment, int(new.explanation.is_raw)),
        )
        put_part_losses(connection, [(new.run_id, new.part_losses)])


def _most_important(explanation: AnyExplanation) -> list[Any]:
    """Return the most important features of an explanation, each with its importance."""
    order = np.argsort(-explanation.global_importance_values, kind="stable")[:TOP]
    return [[explanation.feature_labels[j], float(explanation.global_importance_values[j])] for j in order]
