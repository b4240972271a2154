"""The model of a page: what the page needs to predict and explain edited rows, or why it cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.dashboard.data._arrays import ArrayBlock
from automl_explain.dashboard.data._page_model import AnyPageModel, PageModel, StoredPageModel, over_numbers
from automl_explain.dashboard.model._scorer_coding import Backing, encode_scorer, size_of
from automl_explain.explainers._errors import AutoMLExplainError, AutoMLExplainWarning
from automl_explain.explainers._quiet import ignored
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.formatting._numbers import number_text
from automl_explain.explainers.model._links import find_link, name_of
from automl_explain.explainers.model._structures import Opaque
from automl_explain.explainers.scoring._from_explainer import make_scorer
from automl_explain.explainers.scoring._scorer import Scorer
from automl_explain.explainers.scoring.external._external_scorer import ExternalScorer
from automl_explain.explainers.surrogate._explainer import MimicExplainer
from automl_explain.explainers.surrogate._tree_models import LGBMExplainableModel
from automl_explain.explainers.tables._column_functions import NotColumnwiseError
from automl_explain.explainers.tables._table import Table

Numbers = npt.NDArray[np.float64]

BACKGROUND_ROWS = 100
"""Most background rows in a page."""
TRAINING_ROWS = 5000
"""Most rows on which a surrogate is trained, and from which the background rows of a page are chosen."""
LEAST_FIDELITY = 0.8
"""Least R2 of a surrogate that is shown."""
CHECKED_ROWS = 200
"""Most rows by which a page compares a surrogate with Python."""
NEAR_BASE = 0.05
"""Difference of base values, relative to the range of the predictions, above which a page says it."""
MOST_BYTES = 40_000_000
"""Largest model in a page, in bytes of its arrays; a page stores a tenth to a quarter of them."""
MOST_IMITATED = 200
"""Most outputs of a model that is imitated: each takes trees of its own."""
WAY_OUT = "Open the dashboard with serve(), or in a notebook, where Python answers."
"""What to do about a model that is not in the page."""


def export_model(page: AnyPageModel, block: ArrayBlock) -> dict[str, Any]:
    """Return the entry `model` of a payload.

    Parameters
    ----------
    page : AnyPageModel
    block : ArrayBlock
        Takes the arrays of the model.

    Returns
    -------
    dict
        `kind` is "scorer" for the model itself, "surrogate" for trees that imitate it, or "none". `reason`: a sentence on why
        there is no scorer, or None. `notes`: sentences on what differs from the explanation that is shown. `data`: what
        `encode_scorer` returns, unless the kind is "none". A surrogate has `fidelity`, and in `check` its predictions for
        some rows.
    """
    if isinstance(page, StoredPageModel):
        return _stored(page, block)
    assert isinstance(page, PageModel)
    structure = page.explained.model.structure
    if isinstance(structure, Opaque):
        return _surrogate(page, block, structure.why)
    try:
        few = replace(page, background=_few_rows(page))
        scorer = make_scorer(few.explainer, "kernel", page.like.data)
    except AutoMLExplainError as error:
        return _surrogate(page, block, _reason(error))
    if isinstance(scorer, ExternalScorer):
        return _surrogate(page, block, _why(scorer))
    size = size_of(scorer)
    if size > MOST_BYTES:
        return _surrogate(page, block, f"its {size / 1e6:.0f} MB are too many")
    made = _entry(scorer, page, block, len(page.background))
    made["notes"] += _differences(page.explanation, few.explainer.method, scorer)
    return made


def _differences(shown: Explanation, method: str, scorer: Scorer) -> list[str]:
    """Return sentences on how the explanations of edited rows differ from the one that is shown."""
    notes = []
    if shown.method != method:
        notes.append(f"Edited rows are explained by the method {method}, the rows shown by {shown.method}.")
    backing = _backing(scorer)
    if backing is None or shown.kind != "shapley" or shown.predictions is None:
        return notes
    outputs = scorer.outputs(backing.rows)
    base = backing.weights @ outputs
    spread = np.maximum(np.ptp(shown.predictions, axis=0), np.ptp(outputs, axis=0))
    distance = np.abs(base - shown.expected_values)
    c = int(np.argmax(distance))
    if distance[c] > NEAR_BASE * spread[c]:
        notes.append(
            f"The base value of edited rows is {number_text(base[c])}, that of the rows shown "
            f"{number_text(shown.expected_values[c])}: they are over other background rows, or without any."
        )
    return notes


def _reason(error: AutoMLExplainError) -> str:
    """Return why a model has no form as data, without the advice on bundles that follows it."""
    return str(error.__cause__ if isinstance(error.__cause__, NotColumnwiseError) else error)


def _stored(page: StoredPageModel, block: ArrayBlock) -> dict[str, Any]:
    """Return the entry of a scoring explainer that a history keeps."""
    scorer = page.scoring._scorer
    if isinstance(scorer, ExternalScorer):
        return _none(f"The model cannot run in the page ({_why(scorer).rstrip('.')}).")
    size = size_of(scorer)
    if size > MOST_BYTES:
        return _none(f"The model cannot run in the page (its {size / 1e6:.0f} MB are too many).")
    return _entry(scorer, page, block, 0 if scorer.game.background is None else len(scorer.game.background))


def _why(scorer: ExternalScorer) -> str:
    structure = scorer.model.structure
    return structure.why if isinstance(structure, Opaque) else scorer.external.why


def _entry(scorer: Scorer, page: AnyPageModel, block: ArrayBlock, n_all: int) -> dict[str, Any]:
    """Return the entry of a scorer whose background was drawn from `n_all` rows."""
    try:
        data = encode_scorer(scorer, _backing(scorer), page.columns, block)
    except AutoMLExplainError as error:
        return _none(f"The model cannot run in the page ({str(error).rstrip('.')}).")
    notes = []
    if n_all > BACKGROUND_ROWS:
        notes = [f"Edited rows are explained over {BACKGROUND_ROWS} of the {n_all:,} background rows."]
    return {"kind": "scorer", "reason": None, "notes": notes, "data": data}


def _surrogate(page: PageModel, block: ArrayBlock, why: str) -> dict[str, Any]:
    """Return the entry of a surrogate if it imitates the model well enough."""
    cannot = f"The model cannot run in the page ({why.rstrip('.')})."
    n_outputs = page.explained.model.n_outputs
    if n_outputs > MOST_IMITATED:
        return _none(f"{cannot} Its {n_outputs:,} outputs are too many for a surrogate.")
    try:
        try:
            imitated, explainer, scorer = _imitation(page)
        except AutoMLExplainError:  # cells that have no form as data for trees, such as dates: their numbers have one
            imitated, explainer, scorer = _imitation(over_numbers(page))
    except AutoMLExplainError as error:
        also = _reason(error)
        return _none(
            cannot if also == why else f"{cannot} A surrogate cannot answer for it either: {also.rstrip('.')}."
        )
    if not explainer.fidelity.r2 >= LEAST_FIDELITY:
        return _none(f"{cannot} A surrogate imitates it too poorly: {explainer.fidelity}.")
    made = _entry(scorer, imitated, block, len(_training_rows(page)))
    if made["kind"] == "none":
        return made
    first = imitated.like.take(np.arange(min(len(page.like), CHECKED_ROWS)))
    matrix, answer = scorer.read(first.data), imitated.predict(first)
    space = scorer.model.output_space
    if answer.probability is not None and space != "probability":
        link = find_link(space, "probability", answer.output, answer.probability)
        if link is not None:
            made["data"]["model"]["links"]["probability"] = name_of(link)
    return {
        **made,
        "kind": "surrogate",
        "reason": f"{cannot} Trees that imitate its predictions answer for it: {explainer.fidelity}.",
        "fidelity": _facts(explainer.fidelity),
        "check": {
            "rows": block.add(imitated.numbers(first)),
            "output": [block.add(o) for o in scorer.outputs(matrix).T],
        },
    }


def _imitation(page: PageModel) -> tuple[PageModel, MimicExplainer, Scorer]:
    """Return a page's model, trees that imitate it, and these as data."""
    with ignored(AutoMLExplainWarning):  # of a poor imitation: the page says it itself
        explainer = MimicExplainer(
            page.model, _training_rows(page), LGBMExplainableModel, progress=False, **page.options
        )
    return page, explainer, make_scorer(explainer, "kernel", page.like.data)


def _training_rows(page: PageModel) -> Table:
    rows = page.like if len(page.like) > len(page.background) else page.background
    return _sample(rows, TRAINING_ROWS)


def _facts(fidelity: Fidelity) -> dict[str, Any]:
    names = ("r2", "agreement", "n_rows", "held_out")
    return {name: getattr(fidelity, name) for name in names}


def _none(why: str) -> dict[str, Any]:
    return {"kind": "none", "reason": f"{why} {WAY_OUT}", "notes": []}


def _sample(rows: Table, most: int) -> Table:
    """Return at most `most` rows, the same at each call."""
    return rows if len(rows) <= most else rows.sample(most, 0)


def _few_rows(page: PageModel) -> Table:
    """Return the background rows of a page; see `_spread`."""
    rows = _sample(page.background, TRAINING_ROWS)
    if len(rows) <= BACKGROUND_ROWS:
        return rows
    outputs = page.predict(rows).output
    return rows.take(_spread(outputs, np.full(len(rows), 1.0 / len(rows)))[0])


def _spread(outputs: Numbers, share: Numbers) -> tuple[npt.NDArray[np.intp], Numbers]:
    """Return the positions of at most `BACKGROUND_ROWS` rows, and their weights, whose outputs are spread like those of all.

    A systematic sample by weight, of the rows in the order of the first principal component of their outputs: the base values
    over the sample are near those over all rows.
    """
    component = np.linalg.svd(outputs - outputs.mean(axis=0), full_matrices=False)[0][:, 0]
    order = np.argsort(component, kind="stable")
    points = (np.arange(BACKGROUND_ROWS) + 0.5) / BACKGROUND_ROWS
    drawn = np.minimum(np.searchsorted(np.cumsum(share[order]), points), len(order) - 1)
    chosen, counts = np.unique(order[drawn], return_counts=True)
    return chosen, counts / BACKGROUND_ROWS


def _backing(scorer: Scorer) -> Backing | None:
    """Return the background rows of a scorer for a page, with weights that add up to 1; see `_spread`."""
    background, weights = scorer.game.background, scorer.game.weights
    if background is None:  # values without a background, which the page does not compute
        return None
    n_rows = len(background)
    share = np.full(n_rows, 1.0 / n_rows) if weights is None else np.asarray(weights / weights.sum())
    if n_rows <= BACKGROUND_ROWS:
        return Backing(background, share)
    chosen, counts = _spread(scorer.outputs(background), share)
    return Backing(background[chosen], counts)
