import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from automl_explain import Explanation, FeatureMap, FormatVersionError, InvalidInputError
from automl_explain.explainers.bundles._array_file import read_bundle, write_bundle
from automl_explain.explainers.explanation._storage import KIND
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.tables._table import Table, as_table

VALUES = np.array([[[1.0, -3.0, 0.0], [2.0, 1.0, 0.0]], [[-1.0, 3.0, 0.0], [-2.0, -1.0, 0.0]]])


def classification(**more):
    fields = {
        "local_importance_values": VALUES,
        "expected_values": np.array([0.5, -0.5]),
        "features": ("a", "b", "c"),
        "classes": ("no", "yes"),
        "output_space": "log_odds",
        "method": "tree",
        "reason": "trees",
        "predictions": VALUES.sum(axis=2).T + [0.5, -0.5],
    }
    return Explanation(**(fields | more))


def regression(**more):
    values = VALUES[0]
    fields = {"local_importance_values": values, "expected_values": np.array([2.0]), "classes": None}
    return classification(
        **(fields | {"predictions": values.sum(axis=1)[:, None] + 2.0, "output_space": "response"} | more)
    )


def test_global_importance_is_the_mean_over_classes_of_the_mean_absolute_value():
    explanation = classification()
    np.testing.assert_allclose(explanation.per_class_values, [[1.5, 2.0, 0.0], [1.5, 2.0, 0.0]])
    np.testing.assert_allclose(explanation.global_importance_values, [1.5, 2.0, 0.0])
    assert explanation.get_ranked_global_names() == ["b", "a", "c"]
    np.testing.assert_allclose(explanation.get_ranked_global_values(), [2.0, 1.5, 0.0])
    assert explanation.get_feature_importance_dict(top_k=2) == {"b": 2.0, "a": 1.5}
    assert explanation.get_ranked_per_class_names(top_k=1).tolist() == [["b"], ["b"]]


def test_local_rankings_are_by_absolute_value_and_keep_the_sign():
    explanation = regression()
    assert explanation.get_ranked_local_names().tolist() == [["b", "a", "c"], ["a", "b", "c"]]
    assert explanation.get_ranked_local_values().tolist() == [[-3.0, 1.0, 0.0], [2.0, 1.0, 0.0]]
    assert explanation.get_ranked_local_values(top_k=1).tolist() == [[-3.0], [2.0]]
    assert classification().get_ranked_local_names().shape == (2, 2, 3)


def test_ties_keep_the_order_of_the_columns():
    explanation = regression(local_importance_values=np.ones((2, 3)), predictions=None)
    assert explanation.get_ranked_global_names() == ["a", "b", "c"]
    assert explanation.get_ranked_local_names()[0].tolist() == ["a", "b", "c"]


def test_without_names_rankings_give_column_numbers():
    explanation = regression(features=None)
    assert explanation.get_ranked_global_names() == [1, 0, 2]
    assert explanation.feature_labels == ("x0", "x1", "x2")


def test_additivity_is_measured():
    assert classification().additivity_error == 0
    assert regression(predictions=np.zeros((2, 1))).additivity_error == 5.0
    assert regression(predictions=None).additivity_error is None


def test_rows_are_sliced():
    explanation = classification(data=as_table(pd.DataFrame({"a": [1, 2], "b": [3, 4], "c": [5, 6]})))
    for rows in (1, slice(1, 2), [1], np.array([False, True])):
        part = explanation[rows]
        assert part.num_examples == 1
        assert part.additivity_error == 0
        assert part.data.data["a"].tolist() == [2]
        np.testing.assert_array_equal(part.local_importance_values, VALUES[:, 1:])


def test_raw_values_are_sums_over_the_engineered_columns():
    explanation = regression(feature_map=FeatureMap(("x", "y", "unused"), np.array([0, 1, 0])))
    raw = explanation.get_raw_explanation()
    assert raw.is_raw
    assert raw.features == ("x", "y", "unused")
    np.testing.assert_allclose(raw.local_importance_values, [[1, -3, 0], [2, 1, 0]])
    assert raw.additivity_error == 0
    assert raw.get_raw_explanation() is raw
    with pytest.raises(InvalidInputError, match="No feature map"):
        regression().get_raw_explanation()
    with pytest.raises(InvalidInputError, match="must have 3 engineered columns. Got 2"):
        regression().get_raw_explanation(FeatureMap(("x",), np.array([0, 0])))


def test_frames_name_columns_rows_and_classes():
    data = as_table(pd.DataFrame(np.ones((2, 3)), columns=["a", "b", "c"], index=["first", "second"]))
    frame = classification(data=data).to_local_frame()
    assert frame.loc[("yes", "second"), "b"] == -1
    assert regression(data=data).to_local_frame().loc["first", "b"] == -3
    for explanation in (regression(data=data), classification(data=data), replace(regression(), features=None)):
        overall = explanation.to_frame()
        assert overall.index.tolist() == [
            explanation.feature_labels[j] for j in ranking(explanation.global_importance_values)
        ]
        assert overall["overall"].tolist() == explanation.get_ranked_global_values().tolist()
        assert list(overall.columns) == ["overall", *(explanation.classes or ())]


def test_shap_gets_its_own_layout():
    shap_explanation = classification().to_shap()
    assert shap_explanation.values.shape == (2, 3, 2)
    assert shap_explanation.base_values.shape == (2, 2)
    np.testing.assert_allclose(
        shap_explanation.values.sum(axis=1) + shap_explanation.base_values, classification().predictions
    )
    assert list(shap_explanation.feature_names) == ["a", "b", "c"]
    assert regression().to_shap().base_values.tolist() == [2.0, 2.0]


def test_shap_gets_numbers_and_shows_the_cells():
    table = pd.DataFrame({"day": pd.to_datetime(["2025-01-01", "2025-01-03"]), "town": ["b", "a"], "n": [1, 2]})
    explanation = regression(data=as_table(table), features=("day", "town", "n"))
    made = explanation.to_shap()
    assert made.data.dtype == np.float64
    assert made.data[0, 0] < made.data[1, 0]
    assert made.data[:, 2].tolist() == [1.0, 2.0]
    assert made.display_data[:, 1].tolist() == ["b", "a"]


def mixed_frame():
    return pd.DataFrame(
        {
            "number": [1.5, np.nan],
            "count": np.array([3, 4], dtype="int64"),
            "flag": [True, False],
            "maybe": pd.array([1, None], dtype="Int64"),
            "kind": pd.Categorical(["x", None], categories=["y", "x"]),
            "text": ["a", None],
            "when": pd.to_datetime(["2020-01-02", None]),
            "zoned": pd.to_datetime(["2020-01-02", "2021-01-02"]).tz_localize("Europe/Paris"),
        }
    )


TABLES = {
    "array": np.array([[1.0, np.nan, 3.0], [4.0, 5.0, 6.0]]),
    "integers": np.array([[1, 2, 3], [4, 5, 6]]),
    "objects": np.array([["a", 1, None], ["b", 2, 3.0]], dtype=object),
    "sparse": sparse.csr_matrix(np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0]])),
    "frame": mixed_frame(),
}


@pytest.mark.parametrize("form", TABLES)
def test_saved_explanations_come_back_without_pickle(form, tmp_path):
    table = as_table(TABLES[form])
    n_features = table.n_columns
    rng = np.random.default_rng(0)
    explanation = Explanation(
        rng.normal(size=(2, 2, n_features)),
        np.array([0.1, -0.1]),
        table.names,
        (True, False),
        "probability",
        "kernel",
        "a black box",
        data=table,
        predictions=rng.normal(size=(2, 2)),
        feature_map=FeatureMap(("r",), np.zeros(n_features, dtype=np.intp)),
        standard_errors=rng.normal(size=(2, 2, n_features)),
        notes=("one", "two"),
    )
    explanation.save(tmp_path / "x.zip")
    again = Explanation.load(tmp_path / "x.zip")
    for name in ("local_importance_values", "expected_values", "predictions", "standard_errors"):
        assert np.array_equal(getattr(again, name), getattr(explanation, name))
    for name in ("features", "classes", "output_space", "method", "reason", "notes", "is_raw"):
        assert getattr(again, name) == getattr(explanation, name)
    assert np.array_equal(again.feature_map.parent, explanation.feature_map.parent)
    back = again.data.data
    if form == "sparse":
        assert (back != TABLES[form]).nnz == 0
    elif form == "frame":
        assert back["number"].equals(TABLES[form]["number"])
        assert back["kind"].astype(object).tolist()[0] == "x"
        assert back["text"].tolist()[0] == "a"
        assert back["text"].isna().tolist() == [False, True]
        assert back["when"].tolist()[0] == pd.Timestamp("2020-01-02")
        assert back["zoned"].tolist()[0] == pd.Timestamp("2020-01-02", tz="Europe/Paris")
        pd.testing.assert_frame_equal(back, TABLES[form])
        assert back["maybe"].isna().tolist() == [False, True]
    elif form != "objects":
        assert np.array_equal(back, TABLES[form], equal_nan=form == "array")


def test_two_classes_that_mirror_each_other_are_stored_once(tmp_path):
    values = np.random.default_rng(0).normal(size=(1, 400, 3))
    mirrored = classification(local_importance_values=np.concatenate([-values, values]), predictions=None)
    apart = classification(local_importance_values=np.concatenate([values, values]), predictions=None)
    for name, explanation in (("mirrored", mirrored), ("apart", apart)):
        explanation.save(tmp_path / name)
        again = Explanation.load(tmp_path / name)
        assert np.array_equal(again.local_importance_values, explanation.local_importance_values)
    assert (tmp_path / "mirrored").stat().st_size < 0.6 * (tmp_path / "apart").stat().st_size


def test_files_of_another_kind_or_a_newer_version_are_refused(tmp_path):
    path = tmp_path / "x.zip"
    path.write_text("not a zip")
    with pytest.raises(InvalidInputError, match="not a file that automl-explain wrote"):
        Explanation.load(path)
    write_bundle(path, "something", 1, {}, {})
    with pytest.raises(InvalidInputError, match="holds a 'something', not a 'explanation'"):
        Explanation.load(path)
    write_bundle(path, KIND, 99, {}, {})
    with pytest.raises(FormatVersionError, match="protocol 99.*Upgrade"):
        Explanation.load(path)


def test_a_bundle_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(ValueError, match="pickle"):
        write_bundle(tmp_path / "x.zip", "k", 1, {}, {"bad": np.array([object()])})
    assert list(tmp_path.iterdir()) == []
    write_bundle(tmp_path / "x.zip", "k", 1, {"a": 1}, {"n": np.arange(3)})
    manifest, arrays = read_bundle(tmp_path / "x.zip", "k", 1)
    assert manifest["a"] == 1
    assert arrays["n"].tolist() == [0, 1, 2]


def test_an_object_array_in_a_file_is_not_unpickled(tmp_path):
    import io
    import zipfile

    classification().save(tmp_path / "x.zip")
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}]), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "x.zip", "a") as archive:
        archive.writestr("evil.npy", buffer.getvalue())
    with pytest.raises(InvalidInputError, match="members that its manifest does not list"):
        Explanation.load(tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as archive:  # as files were before they had hashes
        archive.writestr("manifest.json", json.dumps({"kind": KIND, "protocol": 3}))
        archive.writestr("evil.npy", buffer.getvalue())
    with pytest.raises(InvalidInputError, match="holds the wrong type, object"):
        Explanation.load(tmp_path / "y.zip")


def test_wrong_shapes_are_refused():
    with pytest.raises(InvalidInputError, match=r"\(n, f\) without classes"):
        classification(local_importance_values=VALUES[0])
    with pytest.raises(InvalidInputError, match="must name 3 features. Got 2"):
        classification(features=("a", "b"))
    with pytest.raises(InvalidInputError, match="must name 2 classes"):
        classification(classes=("a", "b", "c"))
    with pytest.raises(InvalidInputError, match="local or global"):
        classification(local_importance_values=None)


def test_the_notebook_view_names_features_and_escapes_them():
    html = classification(features=("<b>", "b", "c"))._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "add up to the prediction" in html


def test_tables_mix_rows_without_changing_types():
    from automl_explain.explainers.coalitions._masker import Masker

    frame = mixed_frame()
    mixer = Masker(as_table(frame.iloc[:1]), as_table(frame.iloc[1:]))
    present = np.array([[True] * 8, [False] * 8, [True, False] * 4])
    mixed = mixer.mix(np.zeros(3, int), np.zeros(3, int), present)
    pd.testing.assert_series_equal(mixed.dtypes, frame.dtypes)
    pd.testing.assert_frame_equal(mixed.iloc[[0]], frame.iloc[[0]])
    assert mixed["when"].isna().tolist() == [False, True, False]
    assert mixed["count"].tolist() == [3, 4, 4]
    assert isinstance(Table(np.ones((1, 2))).codes(), np.ndarray)
