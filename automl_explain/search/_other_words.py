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
    "enable_voting_ensemble": "the ensemble is a stack of the best learners: set 'ensemble', or leave it out",
}
"""Word without a counterpart -> what to do; False and None mean the same as leaving it out."""
MINUTES = ("experiment_timeout_minutes",)


def in_own_words(settings: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return settings in the words of `AutoMLConfig`, and a message about each that was translated.

    Raises
    ------
    InvalidInputError
        If a setting is given in both words, or has no counterpart.
    """
    own, said = {}, []
    for name, value in settings.items():
        if name in REFUSED:
            if value not in (None, False):
                raise InvalidInputError(f"{name}={value!r} has no counterpart: {REFUSED[name]}.")
            continue
        word = WORDS.get(name, name)
        if word in own or (word != name and word in settings):
            raise InvalidInputError(f"{name!r} is another word for {word!r}. Got both: leave one of them out.")
        if name in MINUTES and isinstance(value, int | float) and not isinstance(value, bool):
            value *= 60
        if name == "primary_metric" and isinstance(value, str):
            value = METRICS.get(value, value)
        own[word] = value
        if word != name:
            shown = "" if word in ("data", "validation") else f" ({value!r})"
            said.append(f"{name} is {word}{shown}")
    return own, tuple(said)
