"""All table formats give the same values."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from automl_explain import (
    InvalidInputError,
    LGBMExplainableModel,
    LIMEExplainer,
    LinearExplainer,
    MimicExplainer,
    MissingExtraError,
    PFIExplainer,
    TabularExplainer,
    explain_model,
)
from automl_explain.explainers.tables._table import as_table

NAMES = ["age", "rooms", "owner", "income"]


def cells(n=200):
    """Numbers that every format holds exactly: halves, integers, flags, and many zeros."""
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 160, n) / 2, rng.integers(0, 6, n), rng.random(n) < 0.5, rng.integers(-4, 9, n) * 0.25]
    return np.column_stack(columns).astype(float)


def frame(array):
    return pd.DataFrame(array, columns=NAMES).astype({"rooms": "int64", "owner": "bool"})


FORMATS = {
    # name: from an array, and whether columns have names
    "array": (np.asarray, False), "float32": (np.float32, False), "list": (np.ndarray.tolist, False),
    "csr_matrix": (sparse.csr_matrix, False), "csr_array": (sparse.csr_array, False), "csc_matrix": (sparse.csc_matrix, False),
    "frame": (frame, True), "another order": (lambda array: frame(array)[NAMES[::-1]], True),
    "nullable": (lambda array: frame(array).convert_dtypes(), True),
    "arrow-backed": (lambda array: frame(array).convert_dtypes(dtype_backend="pyarrow"), True),
    "polars": (lambda array: polars.from_pandas(frame(array)), True),
    "pyarrow": (lambda array: pyarrow.Table.from_pandas(frame(array)), True),
    "record batch": (lambda array: pyarrow.RecordBatch.from_pandas(frame(array)), True),
    "data and names": (lambda array: SimpleNamespace(data=array, group_names=NAMES, weights=np.ones(len(array))), True),
}  # fmt: skip
MODELS = {
    "boosted trees": lambda X, y: LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1).fit(X, y > y.mean()),
    "forest": lambda X, y: RandomForestClassifier(10, random_state=0).fit(X, np.digitize(y, np.quantile(y, [0.3, 0.6]))),
    "linear": lambda X, y: LinearRegression().fit(X, y),
    "logistic": lambda X, y: LogisticRegression(max_iter=5000).fit(X, y > y.mean()),
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_values(name, model):
    convert, named = FORMATS[name]
    X = cells()
    y = X[:, 0] / 40 + X[:, 1] * X[:, 2] - X[:, 3]
    fitted = MODELS[model](frame(X) if named and name != "data and names" else X, y)
    expected = TabularExplainer(MODELS[model](X, y), X).explain_local(X[:7])
    explanation = TabularExplainer(fitted, convert(X)).explain_local(convert(X[:7]))
    np.testing.assert_allclose(
        explanation.local_importance_values, expected.local_importance_values, atol=1e-9, rtol=1e-9
    )
    assert explanation.features == (tuple(NAMES) if named else None)
    six = explain_model(fitted, convert(X), convert(X[:7]))
    np.testing.assert_allclose(six.overall_summary, expected.get_ranked_global_values(), atol=1e-9)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_be_imitated(name):
    convert, _ = FORMATS[name]
    X = cells()
    fitted = LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1).fit(X, X[:, 0])
    if name in ("nullable", "arrow-backed", "another order"):
        fitted = fitted.fit(frame(X), X[:, 0])
    explainer = MimicExplainer(fitted, convert(X), LGBMExplainableModel)
    same = MimicExplainer(LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1).fit(X, X[:, 0]), X, LGBMExplainableModel)
    np.testing.assert_allclose(
        explainer.explain_local(convert(X[:5])).local_importance_values,
        same.explain_local(X[:5]).local_importance_values,
        atol=1e-9,
    )


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_categories_dates_and_missing_cells_of_other_libraries(library):
    n = 60
    whole = pd.DataFrame({
        "kind": pd.Categorical(np.resize(["a", "b", None], n)), "flag": pd.array(np.resize([True, False, None], n), "boolean"),
        "count": pd.array(np.resize([1, 2, None, 4], n), "Int64"), "day": pd.date_range("2026-01-01", periods=n, unit="us"),
    })  # fmt: skip
    made = polars.from_pandas(whole) if library == "polars" else pyarrow.Table.from_pandas(whole)
    read = as_table(made).data
    assert isinstance(read["kind"].dtype, pd.CategoricalDtype)
    assert read["flag"].dtype == "boolean"
    assert pd.api.types.is_datetime64_any_dtype(read["day"])
    for name in whole:
        assert (read[name].isna() == whole[name].isna()).all()
        known = whole[name].notna().to_numpy()
        assert read[name][known].tolist() == whole[name][known].tolist()


def test_dates_of_arrow_are_dates():
    days = pd.date_range("2026-01-01", periods=3).date
    read = as_table(pyarrow.table({"day": pyarrow.array(days), "n": [1, 2, 3]})).data
    assert pd.api.types.is_datetime64_any_dtype(read["day"])


def test_lists_with_text_keep_their_numbers():
    assert as_table([[1, "a"], [2.5, "b"]]).data.tolist() == [[1, "a"], [2.5, "b"]]


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
def test_one_row_of_a_sparse_table(kind):
    assert as_table(kind(np.eye(4))[2]).data.shape == (1, 4)


def test_a_linear_model_of_fifty_thousand_sparse_columns_is_not_made_dense(monkeypatch):
    n, f = 4000, 50_000
    rng = np.random.default_rng(0)
    X = sparse.csr_matrix((rng.random(n * 5), (np.repeat(np.arange(n), 5), rng.integers(0, f, n * 5))), shape=(n, f))
    model = LinearRegression()
    model.coef_, model.intercept_, model.n_features_in_ = np.arange(f) / f, 1.0, f
    largest = []
    dense = sparse.csr_matrix.toarray
    monkeypatch.setattr(
        sparse.csr_matrix, "toarray", lambda own, *a, **k: largest.append(own.shape[0]) or dense(own, *a, **k)
    )
    explainer = LinearExplainer(model, X)
    explanation = explainer.explain_local(X[:2])
    assert max(largest) <= 64 * 2**20 // (8 * f)
    mean = np.asarray(X.mean(axis=0)).ravel()
    np.testing.assert_allclose(explanation.local_importance_values, (dense(X[:2]) - mean) * model.coef_, atol=1e-12)


class TestRefused:
    def test_a_polars_table_without_pyarrow(self):
        class Frame:
            def to_pandas(self):
                raise ModuleNotFoundError("No module named 'pyarrow'")

        with pytest.raises(MissingExtraError, match=r"pip install 'automl-explain\[arrow\]'"):
            as_table(Frame())

    def test_a_single_column(self):
        with pytest.raises(InvalidInputError, match="Got a single column"):
            as_table(polars.Series([1, 2]))

    def test_weights_that_would_be_lost(self):
        data = SimpleNamespace(data=cells(), group_names=NAMES, weights=np.arange(200.0))
        with pytest.raises(InvalidInputError, match="has weights of its own"):
            as_table(data)

    def test_group_names_of_another_number(self):
        with pytest.raises(InvalidInputError, match="group name for each of 4 columns. Got 2"):
            as_table(SimpleNamespace(data=cells(), group_names=["a", "b"]))

    @pytest.mark.parametrize("thing", [polars.DataFrame({"a": [1]}).lazy(), 3, "table", None])
    def test_what_is_no_table(self, thing):
        with pytest.raises(InvalidInputError, match="must be a table"):
            as_table(thing)


NAMED_EXPLAINERS = {
    "tabular": lambda model, X: TabularExplainer(model, X, features=NAMES).explain_local,
    "mimic": lambda model, X: MimicExplainer(model, X, LGBMExplainableModel, features=NAMES).explain_local,
    "lime": lambda model, X: LIMEExplainer(model, X, features=NAMES, nsamples=200).explain_local,
    "permutation": lambda model, X: (
        lambda rows: PFIExplainer(model, features=NAMES).explain_global(rows, model.predict(cells()))
    ),
}


@pytest.mark.filterwarnings("ignore:X has feature names")  # the model was fitted on an array
@pytest.mark.parametrize("kind", NAMED_EXPLAINERS)
def test_named_columns_of_an_array_are_not_read_by_position_from_a_frame(kind):
    X = cells()
    model = LinearRegression().fit(X, X @ [3.0, -2.0, 1.0, 0.5])
    explain = NAMED_EXPLAINERS[kind](model, X)
    table = pd.DataFrame(X, columns=NAMES)
    expected, found = explain(table), explain(table[NAMES[::-1]])
    assert found.feature_labels == expected.feature_labels == tuple(NAMES)
    np.testing.assert_allclose(found.global_importance_values, expected.global_importance_values, rtol=1e-9)


def test_rows_with_numbers_for_column_names_reach_the_model_under_its_own_names():
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=["1", "2", "3"])
    scaled = ColumnTransformer([("scaled", StandardScaler(), ["1", "2"])], remainder="passthrough")
    explainer = TabularExplainer(make_pipeline(scaled, Ridge()).fit(rows, rows["1"]), rows)
    numbered = rows.set_axis([1, 2, 3], axis=1)
    expected = explainer.explain_local(rows).local_importance_values
    np.testing.assert_array_equal(explainer.explain_local(numbered).local_importance_values, expected)
