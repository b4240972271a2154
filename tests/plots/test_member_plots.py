"""The plot of an ensemble's members."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from automl_explain import InvalidInputError, MemberExplanation, explain_model, plot_member_shares
from automl_explain.explainers.formatting._colors import CLASS_COLORS, NEUTRAL_COLOR
from tests.families import LGBMR, table, target
from tests.plots.test_plots import drawn, lengths, row_names


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def made(n_members=3, classes=None, n_rows=20, n_features=6, split=True, features=None):
    rng = np.random.default_rng(0)
    shape = (n_members, n_rows, n_features) if classes is None else (n_members, len(classes), n_rows, n_features)
    values = rng.normal(size=shape) * np.linspace(1, 0.1, n_features)
    width = 1 if classes is None else len(classes)
    return MemberExplanation(
        tuple(f"member ${m}$" for m in range(n_members)), values.sum(axis=-1), values if split else None,
        np.zeros(width), np.zeros((n_members, width)) if split else None, features, classes, "log_odds", "made by hand",
    )  # fmt: skip


KINDS = {
    "regression": {},
    "binary": {"classes": (0, 1)},
    "multiclass": {"classes": tuple("abc"), "features": tuple("uvwxyz")},
    "many members": {"n_members": 12},
    "one feature": {"n_features": 1},
    "many features": {"n_features": 40},
}


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_add_up_to_the_importance(kind):
    shares = made(**KINDS[kind])
    ax = drawn(plot_member_shares(shares, top_k=5))
    order = np.argsort(-shares.global_importance_values.sum(axis=0))[:5]
    np.testing.assert_allclose(lengths(ax), shares.global_importance_values.sum(axis=0)[order])
    assert row_names(ax) == [shares.feature_labels[j] for j in order]
    total = np.abs(shares.local_importance_values.sum(axis=0)).reshape(
        -1, shares.num_examples, len(shares.feature_labels)
    )
    np.testing.assert_allclose(sorted(total.mean(axis=(0, 1)))[::-1][:5], lengths(ax))


def test_a_piece_is_a_members_and_has_its_colour():
    shares = made(n_members=9)
    ax = drawn(plot_member_shares(shares))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[-1] == "2 other members"
    assert [to_hex(container[0].get_facecolor()) for container in ax.containers] == [*CLASS_COLORS, NEUTRAL_COLOR]
    m = shares.members.index(labels[0])
    order = np.argsort(-shares.global_importance_values.sum(axis=0))
    widths = [bar.get_width() for bar in ax.containers[0]]
    np.testing.assert_allclose(widths, shares.global_importance_values[m, order])


def test_pieces_do_not_lie_on_each_other_and_negative_ones_go_left():
    shares = made(n_members=3)
    ax = drawn(plot_member_shares(shares))
    assert (shares.global_importance_values < 0).any()
    assert "left of zero" in ax.get_xlabel()
    low, high = ax.get_xlim()
    for row in range(6):
        bars = [container[row] for container in ax.containers]
        spans = sorted(
            (min(b.get_x(), b.get_x() + b.get_width()), max(b.get_x(), b.get_x() + b.get_width())) for b in bars
        )
        assert all(left[1] <= right[0] + 1e-12 for left, right in pairwise(spans))
        assert low <= spans[0][0]
        assert spans[-1][1] <= high


def test_a_class_of_its_own():
    shares = made(classes=tuple("abc"))
    ax = drawn(plot_member_shares(shares, class_="b"))
    np.testing.assert_allclose(
        sorted(lengths(ax)), sorted(np.abs(shares.local_importance_values.sum(axis=0)[1]).mean(axis=0))
    )
    assert "class b" in ax.get_title(loc="left")
    with pytest.raises(InvalidInputError, match="no class 'd'"):
        plot_member_shares(shares, class_="d")


@pytest.mark.parametrize("classes", [None, tuple("abc")])
def test_without_a_split_bars_are_members(classes):
    shares = made(n_members=4, split=False, classes=classes)
    ax = drawn(plot_member_shares(shares, top_k=3, class_=None if classes is None else "c"))
    values = shares.local_member_values if classes is None else shares.local_member_values[:, 2]
    np.testing.assert_allclose(lengths(ax), np.sort(np.abs(values).mean(axis=-1))[::-1][:3])
    assert "3 of 4" in ax.get_title(loc="left")
    assert ax.get_legend() is None


def test_other_things_are_refused():
    X = table()
    explained = explain_model(LGBMR.fit(X, target(X, "regression")), X, X[:5])
    for thing in (explained, explained.explanation, 3):
        with pytest.raises(InvalidInputError, match=r"explain_members|Expected a ModelExplanation"):
            plot_member_shares(thing)
    with pytest.raises(InvalidInputError, match="top_k"):
        plot_member_shares(made(), top_k=0)
