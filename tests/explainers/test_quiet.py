"""Blocks that hide warnings leave the filters of the process as they were, however their threads overlap."""

import threading
import warnings

import pytest

from automl_explain.explainers._quiet import ignored


def test_blocks_that_overlap_leave_the_filters_as_they_were():
    before = list(warnings.filters)
    first_is_in, second_is_in, first_is_out = threading.Event(), threading.Event(), threading.Event()

    def first():
        with ignored():
            first_is_in.set()
            second_is_in.wait(10)
        first_is_out.set()

    def second():
        first_is_in.wait(10)
        with ignored():
            second_is_in.set()
            first_is_out.wait(10)
            warnings.warn("hidden", stacklevel=1)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
    with pytest.warns(UserWarning, match="shown"):
        warnings.warn("shown", stacklevel=1)


def test_only_what_is_named_is_hidden():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with ignored(UserWarning, "Glyph .* missing"):
            warnings.warn("Glyph 1 missing from font", stacklevel=1)
            warnings.warn("other", stacklevel=1)
    assert [str(one.message) for one in seen] == ["other"]


def test_an_error_in_a_block_ends_it():
    before = list(warnings.filters)
    with pytest.raises(KeyError), ignored():
        raise KeyError
    assert list(warnings.filters) == before
