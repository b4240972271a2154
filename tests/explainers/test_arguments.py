"""Arguments of wrong types are refused at the door, with values made from the table that says what they may be."""

import inspect
import re

import numpy as np
import pytest

import automl_explain
from automl_explain.explainers._arguments import checked
from automl_explain.explainers._constraints import PARAMETERS, constraint_of
from automl_explain.explainers._errors import InvalidInputError

KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def public_functions():
    """Yield the names and functions of the public interface, methods included, once each."""
    seen = set()
    for name in automl_explain.__all__:
        found = getattr(automl_explain, name)
        parts = [(name, found)]
        if inspect.isclass(found):
            parts = [
                (f"{owner.__name__}.{member}", function)
                for owner in found.__mro__
                if owner.__module__.startswith("automl_explain")
                for member, function in vars(owner).items()
                if inspect.isfunction(function) and (not member.startswith("_") or member == "__init__")
            ]
        for label, function in parts:
            if inspect.isfunction(function) and id(function) not in seen:
                seen.add(id(function))
                yield label, function


CHECKED = [(label, function) for label, function in public_functions() if getattr(function, "is_checked", False)]
CASES = [
    pytest.param(function, name, wrong, id=f"{label}-{name}-{number}")
    for label, function in CHECKED
    for name, parameter in inspect.signature(function).parameters.items()
    if parameter.kind in KINDS and (constraint := constraint_of(function.__qualname__, name)) is not None
    for number, wrong in enumerate(constraint.wrong)
]


def test_explainers_plots_and_rankings_are_checked():
    labels = {label.split(".")[0] for label, _ in CHECKED}
    assert {"explain_model", "TabularExplainer", "TreeExplainer", "DeepExplainer", "MimicExplainer", "LIMEExplainer",
            "PFIExplainer", "ExplanationValues", "plot_summary", "RunHistory", "write_report"} <= labels  # fmt: skip
    assert len(CASES) > 300


@pytest.mark.parametrize(("function", "name", "wrong"), CASES)
def test_a_wrong_value_is_one_typed_error_that_says_what_was_expected(function, name, wrong):
    with pytest.raises(InvalidInputError) as raised:
        function(**{name: wrong})
    assert re.search(f"^The '{name}' parameter must be .*[.] Got .*[.]$", str(raised.value))


@pytest.mark.parametrize("name", PARAMETERS)
def test_messages_name_what_came(name):
    for wrong in PARAMETERS[name].wrong:
        assert not PARAMETERS[name].takes(wrong)


def test_positional_arguments_are_checked_and_long_values_are_cut():
    @checked
    def rank(top_k, /, progress=None):
        return top_k, progress

    assert rank(np.int64(3), True) == (3, True)
    with pytest.raises(InvalidInputError, match=r"'top_k' parameter must be an integer, 1 or more, or None. Got 'x{5}"):
        rank("x" * 10_000)
    with pytest.raises(InvalidInputError, match="'progress' parameter must be True or False, or None. Got ndarray"):
        rank(1, np.array([1, 2]))
    assert rank.__name__ == "rank"
