"""Files written by earlier versions can be read. `data` holds files of every protocol before the current one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl_explain import Explanation
from automl_explain.explainers.bundles._array_file import read_bundle
from automl_explain.explainers.explanation._storage import KIND, PROTOCOL

DATA = Path(__file__).parent / "data"
FILES = sorted(DATA.glob("*.explanation"))


def protocol_of(path):
    return read_bundle(path, KIND, PROTOCOL)[0]["protocol"]


def old(name):
    return Explanation.load(DATA / f"protocol-1-{name}.explanation")


def test_there_are_files_of_every_earlier_protocol():
    assert {protocol_of(path) for path in FILES} == set(range(1, PROTOCOL))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_old_file_is_read_and_written_as_the_current_protocol(path, tmp_path):
    read = Explanation.load(path)
    read.save(tmp_path / "again")
    again = Explanation.load(tmp_path / "again")
    assert protocol_of(tmp_path / "again") == PROTOCOL
    assert (again.kind, again.metric, again.output_space) == (read.kind, read.metric, read.output_space)
    np.testing.assert_array_equal(again.global_importance_values, read.global_importance_values)


def test_shapley_values_with_members():
    read = old("shapley")
    assert (read.kind, read.metric, read.output_space, read.method) == ("shapley", None, "probability", "ensemble")
    assert (read.features, read.classes) == (("a", "b", "c"), ("no", "yes"))
    assert read.additivity_error < 1e-12
    np.testing.assert_allclose(read.local_importance_values[1, 0], [0.243072907, 0.0114635677, -0.000368176557])
    assert read.data.data.columns.tolist() == ["a", "b", "c"]
    assert read.members.members == ("forest", "logistic")
    np.testing.assert_allclose(read.members.local_importance_values.sum(axis=0), read.local_importance_values)
    assert read.members.left_out is None


def test_values_of_some_features():
    read, whole = old("subset"), old("shapley")
    assert (read.kind, read.features) == ("shapley", ("c", "a"))
    np.testing.assert_allclose(read.left_out, whole.local_importance_values[..., 1])
    assert read.additivity_error < 1e-12


def test_a_permutation_importance_gets_its_metric_from_the_output_space():
    read = old("permutation")
    assert (read.kind, read.metric, read.unit, read.output_space) == ("permutation", "roc_auc", "roc_auc", "response")
    np.testing.assert_allclose(read.importances[0], [0.46719457, 0.35067873], rtol=1e-7)
    np.testing.assert_allclose(read.expected_values, 0.98755656)
    assert "decrease of roc_auc when shuffled" in read._repr_html_()


def test_weights_of_local_models():
    read = old("local_linear")
    assert (read.kind, read.metric, read.output_space) == ("local_linear", None, "response")
    np.testing.assert_allclose(read.local_fidelity, [0.99597765, 0.9959221], rtol=1e-6)
    assert read.intercepts.shape == (2,)
    assert read.additivity_error is None


def test_a_frame_of_protocol_2():
    read = Explanation.load(DATA / "protocol-2-frame.explanation").data
    assert read.names == ("number", "flag", "whole", "kind", "word", "day", "zoned")
    frame = read.data
    assert frame.index.tolist() == list(pd.date_range("2024-03-01", periods=3))
    np.testing.assert_array_equal(frame["number"], [1.5, np.nan, 3.0])
    assert frame["flag"].tolist() == [True, False, True]
    np.testing.assert_array_equal(frame["whole"], [1.0, np.nan, 3.0])
    for name, cells in {"kind": ["b", None, "a"], "word": ["x", None, "y"]}.items():
        assert isinstance(frame[name].dtype, pd.CategoricalDtype)
        assert frame[name].astype(object).where(frame[name].notna(), None).tolist() == cells
    assert frame["day"].tolist()[:2] == [pd.Timestamp("2024-01-02"), pd.Timestamp("2024-02-03")]
    assert frame["zoned"].tolist()[0] == pd.Timestamp("2024-01-02T04:30"), "in UTC, without the zone"
    assert frame[["day", "zoned"]].isna().to_numpy().tolist() == [[False, False], [False, False], [True, True]]


def test_an_array_of_objects_of_protocol_2():
    read = Explanation.load(DATA / "protocol-2-objects.explanation").data
    assert read.names is None
    assert read.data.tolist() == [["a", 1], ["b", 2]]
