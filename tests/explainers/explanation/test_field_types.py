"""Anybody may make an `Explanation`: a field of another type is refused when it is made, with its name."""

import dataclasses
from decimal import Decimal

import numpy as np
import pytest

from automl_explain import InvalidInputError, register
from automl_explain.explainers.explanation._stored_parts import TYPES
from tests.integrations.history.stored import explanation

RIGHT = explanation(classes=None)
ARRAYS = [name for name, (types, _) in TYPES.items() if types is np.ndarray]
WRONG = (object(), {}, {1}, b"bytes", Decimal(1), range(3), len, lambda: None)


@pytest.mark.parametrize("name", [*TYPES, "members"])
def test_a_field_of_another_type_is_refused_with_its_name(name):
    wrong = [*WRONG, 1j] if name in ("coalition_r2", "largest_error") else [*WRONG, 1, 1.5]
    wrong += [np.array(["a"]), np.array([None]), np.array([1j])] if name in ARRAYS else [np.zeros(2)]
    wrong += [None] * (name in ("notes", "output_space", "method", "reason", "kind"))
    for value in wrong:
        with pytest.raises(InvalidInputError, match=f"The '{name}' of an explanation must be"):
            dataclasses.replace(RIGHT, **{name: value})
    dataclasses.replace(RIGHT)


@pytest.mark.parametrize("values", [None, np.float64(1.0), np.zeros((1, 1))])
def test_an_output_has_one_base_value(values):
    with pytest.raises(InvalidInputError, match="expected_values"):
        dataclasses.replace(RIGHT, expected_values=values)


@pytest.mark.parametrize("given", [{"type_name": []}, {"reader": {}}, {"type_name": None}])
def test_a_reader_is_registered_by_two_texts(given):
    with pytest.raises(InvalidInputError, match="must be text. Got"):
        register(**{"type_name": "a.B", "reader": "a:b"} | given)
