"""Settings of a search in the words of other AutoML services, such as ``iterations``, in the words of `AutoMLConfig`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_explain.explainers._errors import InvalidInputError

WORDS = {
    "iterations": "max_iter",
    "primary_metric": "metric",
    "n_cross_validations": "cv",
    "experiment_timeout_minutes": "time_budget",
    "enable_stack_ensemble": "ensemble",
    "enable_voting_ensemble": "ensemble",
    "training_data": "data",
    "validation_data": "validation",
    "label_column_name": "target",
}
"""Other word -> the setting that it stands for."""
METRICS = {
    "r2_score": "r2",
    "normalized_root_mean_squared_error": "rmse",
    "normalized_mean_absolute_error": "mae",
    "root_mean_squared_error": "rmse",
    "mean_absolute_error": "mae",
}
"""Name of a metric elsewhere -> FLAML's name."""
REFUSED = {
    "iteration_timeout_minutes": "a trial that is running is always finished: leave it out, and set 'time_budget'",
}
"""Word without a counterpart -> what to do."""
LEFT_OUT = ("iteration_timeout_minutes", "enable_stack_ensemble", "enable_voting_ensemble")
"""Words of which False and None mean the same as leaving them out."""
MINUTES = ("experiment_timeout_minutes",)


def in_own_words(settings: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return settings in the words of `AutoMLConfig`, and a message about each that was translated.

    Raises
    ------
    InvalidInputError
        If a setting is given in both words, or has no counterpart.
    """
    own, said = {}, []
    sources: dict[str, str] = {}
    for name, value in settings.items():
        if name in LEFT_OUT and value in (None, False):
            continue
        if name in REFUSED:
            raise InvalidInputError(f"{name}={value!r} has no counterpart: {REFUSED[name]}.")
        word = WORDS.get(name, name)
        if word in sources:
            raise InvalidInputError(f"{sources[word]!r} and {name!r} both set {word!r}: leave one of them out.")
        sources[word] = name
        if name in MINUTES and isinstance(value, int | float) and not isinstance(value, bool):
            value *= 60
        if name == "primary_metric" and isinstance(value, str):
            value = METRICS.get(value, value)
        if name == "enable_voting_ensemble" and value is True:
            value = "voting"
        own[word] = value
        if word != name:
            shown = "" if word in ("data", "validation") else f" ({value!r})"
            said.append(f"{name} is {word}{shown}")
    return own, tuple(said)
