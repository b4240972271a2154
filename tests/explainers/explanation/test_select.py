"""`select`: parts of explanations and of member contributions, by features, by rows, or by both."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from automl_explain import Explanation, FeatureMap, InvalidInputError, MemberExplanation
from automl_explain.explainers.tables._table import as_table

NAMES = ("age", "bmi", "city", "ldl")
RNG = np.random.default_rng(0)


def shares(*, split=True, n_rows=5):
    parts = RNG.normal(size=(2, 3, n_rows, 4))
    totals = parts.sum(axis=-1)
    return MemberExplanation(
        members=("rf", "ridge"), local_member_values=totals, local_importance_values=parts if split else None,
        expected_values=np.array([0.1, 0.2, 0.3]), member_expected_values=np.array([[0.1, 0.2, 0.3], [0, 0, 0]]),
        features=NAMES, classes=("a", "b", "c"), output_space="probability", reason="a weighted sum",
        predictions=totals.sum(axis=0).T + [0.1, 0.2, 0.3], standard_errors=np.abs(parts if split else totals),
    )  # fmt: skip


def explained(*, members=True, **changes):
    brought = shares()
    values = brought.local_importance_values.sum(axis=0)
    frame = pd.DataFrame(np.arange(20.0).reshape(5, 4), columns=NAMES)
    fields = {
        "features": NAMES, "classes": brought.classes, "output_space": "probability", "method": "tree",
        "reason": "its trees", "data": as_table(frame), "predictions": brought.predictions,
        "feature_map": FeatureMap(("person", "town"), np.array([0, 0, 1, 1])), "standard_errors": np.abs(values),
        "fold_importances": np.abs(values[0, :2]), "members": brought if members else None,
    }  # fmt: skip
    return Explanation(values, brought.expected_values, **(fields | changes))


@pytest.mark.parametrize("features", [["city", "age"], [2, 0], ["city", 0], np.array([2, 0]), ("city", "age")])
def test_features_are_taken_by_name_or_position_in_the_order_given(features):
    whole = explained()
    part = whole.select(features=features)
    np.testing.assert_array_equal(part.local_importance_values, whole.local_importance_values[..., [2, 0]])
    np.testing.assert_array_equal(part.standard_errors, whole.standard_errors[..., [2, 0]])
    np.testing.assert_array_equal(part.fold_importances, whole.fold_importances[..., [2, 0]])
    np.testing.assert_array_equal(part.data.codes(), whole.data.codes()[:, [2, 0]])
    np.testing.assert_allclose(part.left_out, whole.local_importance_values[..., [1, 3]].sum(axis=-1))
    assert part.features == part.members.features == ("city", "age")
    assert part.feature_map is None
    assert part.additivity_error < 1e-12
    assert part.notes == ("features: 2 of 4; local values of the other features are summed in left_out",)


def test_a_number_that_is_a_name_means_that_feature():
    assert explained(features=("a", "b", "c", "2"), members=False).select(features=[2]).features == ("2",)
    assert explained(features=None, members=False).select(features=[2]).feature_labels == ("x0",)


def test_a_part_of_a_part_still_adds_up():
    whole = explained()
    part = whole.select(features=["city", "age", "ldl"]).select(features=["age"], rows=[4, 0])
    np.testing.assert_array_equal(part.local_importance_values, whole.local_importance_values[:, [4, 0]][..., [0]])
    np.testing.assert_allclose(part.left_out, whole.local_importance_values[:, [4, 0], 1:].sum(axis=-1))
    assert part.additivity_error < 1e-12
    assert whole.left_out is None


def test_members_shares_add_up_to_what_each_member_brings():
    part = explained().select(features=["bmi", "ldl"], rows=slice(1, 4)).members
    np.testing.assert_allclose(part.local_importance_values.sum(axis=-1) + part.left_out, part.local_member_values)
    assert part.get_member_explanation("rf").additivity_error < 1e-12
    assert part.select(["ldl"]).get_member_explanation("ridge").additivity_error < 1e-12
    whole = shares(split=False)
    unsplit = whole.select(features=["bmi"], rows=[3, 1])
    assert (unsplit.features, unsplit.left_out) == (("bmi",), None)
    np.testing.assert_array_equal(unsplit.local_member_values, whole.local_member_values[..., [3, 1]])
    np.testing.assert_array_equal(unsplit.standard_errors, whole.standard_errors[..., [3, 1]])


def test_all_features_in_another_order_leave_nothing_out():
    whole = explained()
    part = whole.select(features=[3, 2, 1, 0])
    assert (part.left_out, part.notes, part.num_features) == (None, (), 4)
    raw = part.get_raw_explanation()
    np.testing.assert_allclose(raw.local_importance_values, whole.get_raw_explanation().local_importance_values)
    np.testing.assert_allclose(raw.members.local_importance_values.sum(axis=0), raw.local_importance_values)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (3, [3]), (-1, [4]), (np.int64(2), [2]), (slice(1, 4), [1, 2, 3]), (slice(None, None, -2), [4, 2, 0]),
        ([4, 0], [4, 0]), ([-1, 0], [4, 0]), (np.array([True, False, False, True, False]), [0, 3]),
        (pd.Series([False, True, False, False, False]), [1]), (range(2), [0, 1]), ([], []), (slice(9, 12), []),
    ],
)  # fmt: skip
def test_rows_are_taken_by_number_slice_list_or_mask(rows, expected):
    whole = explained()
    for part in (whole.select(rows=rows), whole[rows]):
        np.testing.assert_array_equal(part.local_importance_values, whole.local_importance_values[:, expected])
        np.testing.assert_array_equal(part.predictions, whole.predictions[expected])
        np.testing.assert_array_equal(part.data.codes(), whole.data.codes()[expected])
        np.testing.assert_array_equal(
            part.members.local_importance_values, whole.members.local_importance_values[:, :, expected]
        )
        assert part.fold_importances is None
        assert part.feature_map is whole.feature_map
    np.testing.assert_array_equal(
        whole.members[rows].local_member_values, whole.members.local_member_values[..., expected]
    )


def test_iterating_gives_single_rows():
    whole = explained()
    assert [row.num_examples for row in whole] == [1] * 5
    np.testing.assert_array_equal([row.predictions[0] for row in whole], whole.predictions)
    assert [row.num_examples for row in whole.members] == [1] * 5


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["bmj"], r"'features' parameter must name features, or their positions from 0 to 3. Got 'bmj'. Did you mean 'bmi'\?"),
        ([4], "positions from 0 to 3. Got 4"),
        ([-1], "positions from 0 to 3. Got -1"),
        ([True], "positions from 0 to 3. Got True"),
        (["age", 0], "must name each feature once. Got"),
        ([], "must list one or more features"),
        ("age", "must list one or more features, by name or position. Got 'age'"),
        (0, "must be a list of names, or None. Got 0"),
    ],
)  # fmt: skip
def test_unknown_and_repeated_features_are_refused(features, message):
    for whole in (explained(), shares(), shares(split=False)):
        with pytest.raises(InvalidInputError, match=message):
            whole.select(features=features)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (5, r"'rows' parameter must be a row number from -5 to 4, .*\(5 rows were explained\). Got 5"),
        ([0, -6], "from -5 to 4.* Got -6"),
        ([0, 0], r"must name each row once. Got \[0, 0\]"),
        ([4, -1], "must name each row once"),
        ([True, False], "mask of 5 booleans"),
        (True, "mask of 5 booleans.* Got True"),
        (1.0, "Got 1.0"),
        ("age", "Got 'age'"),
        ((0, 1), r"Got \(0, 1\)"),
        ([[0, 1]], "Got"),
        ([[0], [1, 2]], "Got"),
        (slice("a", None), "Got slice"),
    ],
)
def test_unknown_and_repeated_rows_are_refused(rows, message):
    for whole in (explained(), shares()):
        with pytest.raises(InvalidInputError, match=message):
            whole[rows]


def test_global_values_alone_have_features_but_no_rows():
    whole = replace(
        explained(members=False), local_importance_values=None, standard_errors=None, predictions=None, data=None,
        global_values=np.array([4.0, 3.0, 2.0, 1.0]), class_values=np.arange(12.0).reshape(3, 4),
    )  # fmt: skip
    part = whole.select(features=["ldl", "bmi"])
    assert part.global_importance_values.tolist() == [1.0, 3.0]
    assert part.per_class_values.tolist() == [[3.0, 1.0], [7.0, 5.0], [11.0, 9.0]]
    assert part.left_out is None
    with pytest.raises(InvalidInputError, match="has no local importance values"):
        whole.select(rows=[0])


def test_weights_of_local_models_have_no_sum_to_keep():
    whole = explained(members=False, kind="local_linear", local_fidelity=np.ones((3, 5)), intercepts=np.zeros((3, 5)))
    part = whole.select(features=["bmi"], rows=[1, 2], why="for this test")
    assert (part.left_out, part.additivity_error) == (None, None)
    assert part.notes == ("features: 1 of 4, for this test",)
    assert part.local_fidelity.shape == part.intercepts.shape == (3, 2)


@pytest.mark.parametrize("clone", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy], ids=["pickle", "copy"])
def test_parts_are_pickled_and_copied_and_stored(clone, tmp_path):
    part = explained().select(features=["bmi", "age"], rows=[1, 3])
    part.save(tmp_path / "part")
    for other in (clone(part), Explanation.load(tmp_path / "part")):
        assert type(other) is Explanation
        assert type(other.members) is MemberExplanation
        assert other.notes == part.notes
        for name in ("local_importance_values", "left_out", "predictions"):
            np.testing.assert_array_equal(getattr(other, name), getattr(part, name))
        for name in ("local_importance_values", "left_out", "local_member_values", "standard_errors"):
            np.testing.assert_array_equal(getattr(other.members, name), getattr(part.members, name))
        assert other.additivity_error == part.additivity_error
