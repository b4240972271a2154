"""`measure_faithfulness`, for explanations of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl_explain.explainers._arguments import check_seed, checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.deletion._curves import DeletionSettings, measure_rankings
from automl_explain.explainers.deletion._faithfulness import Faithfulness, faithfulness_of
from automl_explain.explainers.faithfulness._examples import examples_of, unsigned_rankings
from automl_explain.explainers.formatting._names import counted


@checked
def measure_faithfulness(
    explanation: Any,
    model: Any,
    data: Any = None,
    *,
    absent: Any = None,
    share: float = 0.2,
    n_random: int = 10,
    max_examples: int | None = 100,
    random_state: int = 0,
    progress: bool | None = None,
) -> Faithfulness:
    """Measure whether the output depends on what an explanation ranks first: remove it, and ask the model.

    The players of an example, which are features, words or segments, are removed in the order of their values for the
    class with the largest output, largest value first, while the output of that class is measured. Leaving out one player at
    a time and random orders are measured beside it. Explanations with two measures of each word, such as those of
    `HANTextExplainer`, are measured for both.

    Examples without some of their players may be unlike anything that the model has seen, and what is measured depends on
    what takes the place of the players. Compare rankings for the same model, examples and `absent`.

    Parameters
    ----------
    explanation : Explanation, TextExplanation or ImageExplanation
        With a value for each player of each example.
    model : object
        The model that was explained; for images also the `ImageExplainer`, which knows its preprocessing.
    data : table, optional
        The rows that were explained. Default: those of the explanation. Texts and images are in their explanation.
    absent : object, optional
        What takes the place of absent players. Tables: background rows, over which the output is averaged; they have to be
        given. Texts: a text, by default none. Images: as in `ImageExplainer`, by default "blur".
    share : float, default 0.2
        Share of the players that is removed for comprehensiveness and kept for sufficiency, at least one player.
    n_random : int, default 10
        Random orders of each example.
    max_examples : int or None, default 100
        Most examples that are measured, drawn at random. None: all.
    random_state : int, default 0
        Seed of the random orders and of the examples drawn.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Returns
    -------
    Faithfulness
        Comprehensiveness, sufficiency and deletion AUC of "explanation", "leave one out" and "random".

    Raises
    ------
    InvalidInputError
        If the explanation does not match the model or the data, or a parameter is not valid.

    References
    ----------
    DeYoung et al., "ERASER: a benchmark to evaluate rationalized NLP models", arXiv 1911.03429. Petsiuk, Das and Saenko,
    "RISE: randomized input sampling for explanation of black-box models", arXiv 1806.07421.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from automl_explain import TabularExplainer, measure_faithfulness
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = RandomForestClassifier(n_estimators=10, random_state=0).fit(X, y)
    >>> explanation = TabularExplainer(model, X.iloc[::10]).explain_local(X.iloc[5::15])
    >>> measured = measure_faithfulness(explanation, model, absent=X.iloc[::10])
    >>> measured.comprehensiveness["explanation"] > measured.comprehensiveness["random"]
    True
    >>> measured.to_frame().index.tolist()
    ['explanation', 'leave one out', 'random']
    """
    check_seed(random_state)
    examples, rng = examples_of(explanation, model, data, absent), np.random.default_rng(random_state)
    settings = DeletionSettings(float(share), int(n_random), explanation.classes is not None)
    measured, n_empty = [], 0
    drawn = rng.permutation(examples.number)[:max_examples]
    unsigned = unsigned_rankings(explanation)
    with progress_bar(len(drawn), "measuring faithfulness", progress) as advance:
        for number in np.sort(drawn).tolist():
            example = examples.of(number)
            if next(iter(example.scores.values())).shape[1]:
                measured.append(measure_rankings(example.values, example.scores, rng, settings, unsigned))
            else:
                n_empty += 1
            advance(1)
    if not measured:
        raise InvalidInputError(
            "The explanation must have an example with a player, such as a text with a word. Got none."
        )
    notes = [f"{counted(n_empty, 'example')} without players left out"] if n_empty else []
    if len(drawn) < examples.number:
        notes.append(f"{len(drawn):,} of {examples.number:,} examples, drawn at random")
    return faithfulness_of(measured, settings.share, examples.unit, tuple(notes))
