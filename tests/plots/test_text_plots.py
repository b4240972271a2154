"""`plot_text`: bars of the words of one text."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from automl_explain import Explanation, InvalidInputError, TextExplanation, TextValues, plot_text


def three_classes():
    values = np.array([[0.1, -0.5, 0.2], [-0.3, 0.9, 0.0], [0.2, -0.4, -0.2]])
    words, spans = ("a", "$good$", "film"), (((0, 1),), ((2, 8),), ((9, 13),))
    base = np.zeros(3)
    sampled = TextValues("a $good$ film", words, spans, (), values, base, values.sum(axis=1), np.abs(values) / 5)
    empty = TextValues("", (), (), (), np.zeros((3, 0)), base, base)
    return TextExplanation((sampled, empty), ("x", "y", "z"), "probability", "kernel", "")


def test_the_largest_values_are_drawn_first_with_their_errors():
    ax = plot_text(three_classes(), ax=Figure().subplots(), top_k=2)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["$good$", "a"]
    assert [bar.get_width() for bar in ax.patches] == [0.9, -0.3]
    assert len(ax.containers[-1].lines[2][0].get_segments()) == 2
    assert ax.get_xlabel() == "contribution to the probability of class y"
    assert plot_text(three_classes(), 0, ax=Figure().subplots(), class_="x").patches[0].get_width() == -0.5


def test_texts_without_words():
    ax = plot_text(three_classes(), 1, ax=Figure().subplots())
    assert not ax.patches
    assert "(empty)" in ax.get_title(loc="left")


def test_what_cannot_be_drawn():
    with pytest.raises(InvalidInputError, match="'class_' parameter must be one of"):
        plot_text(three_classes(), class_="q")
    with pytest.raises(InvalidInputError, match="must be a row number from -2 to 1"):
        plot_text(three_classes(), 2)
    table = Explanation(np.ones((2, 1)), np.zeros(1), ("a",), None, "response", "linear", "")
    with pytest.raises(InvalidInputError, match="plot_text draws a TextExplanation.*Got Explanation"):
        plot_text(table)
