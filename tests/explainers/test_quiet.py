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
            warnings.warn("not shown", stacklevel=1)

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


def test_other_threads_are_heard_meanwhile():
    inside, heard = threading.Event(), threading.Event()

    def hide():
        with ignored():
            inside.set()
            heard.wait(10)
            warnings.warn("not shown", stacklevel=1)

    thread = threading.Thread(target=hide)
    thread.start()
    inside.wait(10)
    with pytest.warns(UserWarning, match="^shown$"):
        warnings.warn("shown", stacklevel=1)
    heard.set()
    thread.join()


def test_filters_that_are_put_back_meanwhile_hide_nothing_for_good():
    inside, restored = threading.Event(), threading.Event()

    def hide():
        with ignored():
            inside.set()
            restored.wait(10)

    thread = threading.Thread(target=hide)
    with warnings.catch_warnings():
        thread.start()
        inside.wait(10)
        taken = warnings.filters
    with warnings.catch_warnings():
        warnings.filters = list(taken)  # what a block of another thread found, with the filter of ours in it
        restored.set()
        thread.join()
        with pytest.warns(UserWarning, match="shown"):
            warnings.warn("shown", stacklevel=1)
        with ignored():
            warnings.warn("not shown", stacklevel=1)


def test_a_filter_of_the_caller_does_not_come_first():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ignored():
            warnings.warn("not shown", stacklevel=1)
        with pytest.raises(UserWarning, match="raised"):
            warnings.warn("raised", stacklevel=1)
