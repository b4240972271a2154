"""Sparse matrices with index arrays that lead outside are refused before any compiled code follows them."""

import numpy as np
import pytest
from scipy import sparse

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.tables._table import as_table

FORMATS = ("csr", "csc", "coo", "bsr")


def matrix(form):
    return sparse.random_array((6, 4), density=0.5, format=form, rng=np.random.default_rng(0))


def set_index(found, value):
    if found.format == "coo":
        found.coords[1][-1] = value
    else:
        found.indices[-1] = value


@pytest.mark.parametrize("value", [2**31 - 9, -1, 6])
@pytest.mark.parametrize("form", FORMATS)
def test_an_index_outside_is_refused(form, value):
    damaged = matrix(form)
    set_index(damaged, value)
    with pytest.raises(InvalidInputError, match="X is a damaged sparse matrix"):
        as_table(damaged, "X")


@pytest.mark.parametrize("starts", [[0, 9, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7], [0, 2, 3, 4, 5, 6, 10**6]])
def test_row_starts_that_do_not_fit_are_refused(starts):
    damaged = matrix("csr")
    damaged.indptr[:] = starts
    with pytest.raises(InvalidInputError, match="damaged"):
        as_table(damaged, "X")


@pytest.mark.parametrize("name", ["data", "indices", "indptr"])
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_arrays_that_compiled_code_does_not_read_are_refused(form, name):
    damaged = matrix(form)
    setattr(damaged, name, getattr(damaged, name).astype(object if name == "data" else float))
    with pytest.raises(InvalidInputError, match="X must be a sparse matrix of numbers|X is a damaged sparse matrix"):
        as_table(damaged, "X")


@pytest.mark.parametrize("form", [*FORMATS, "lil", "dok", "dia"])
def test_sound_matrices_of_any_format_are_read_and_left_alone(form):
    sound = matrix(form)
    before = sound.toarray()
    np.testing.assert_array_equal(as_table(sound, "X").data.toarray(), before)
    np.testing.assert_array_equal(sound.toarray(), before)
    assert len(as_table(sparse.csr_array((3, 4)), "X")) == 3
