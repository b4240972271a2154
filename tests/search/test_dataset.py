"""Reading, inferring and splitting: what the command line does before a search, and says that it did."""

import bz2
import gzip
import lzma

import numpy as np
import pandas as pd
import pytest

from automl_explain import InvalidInputError, MissingExtraError
from automl_explain.search._dataset import FEWEST_ROWS, read_dataset, read_table, split
from automl_explain.search._target import infer_task, settled


def people(n_rows=60, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "age": rng.integers(18, 80, n_rows), "income": rng.normal(50.0, 9.0, n_rows),
        "city": rng.choice(list("abc"), n_rows), "bought": rng.choice(["no", "yes"], n_rows, p=[0.7, 0.3]),
    })  # fmt: skip


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "people.csv"
    people().to_csv(path, index=False)
    return path


# --------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    "name", ["p.csv", "p.csv.gz", "p.csv.bz2", "p.csv.xz", "p.CSV", "p.tsv", "p.tsv.gz", "p.txt", "p.parquet", "p.pq"]
)
def test_every_kind_of_file_reads_alike(tmp_path, name):
    path, table = tmp_path / name, people()
    if "p" in path.suffix[1:2]:
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if ".tsv" in name else ",")
    pd.testing.assert_frame_equal(read_table(path), table, check_dtype=False)


def test_blanks_after_commas_are_no_part_of_a_cell(tmp_path):
    (tmp_path / "adult.csv").write_text("age, work, pay\n39, State-gov, <=50K\n50, , >50K\n")
    table = read_table(tmp_path / "adult.csv")
    assert table.columns.tolist() == ["age", "work", "pay"]
    assert table["pay"].tolist() == ["<=50K", ">50K"]
    assert table["work"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (["2024-01-31", "1999-12-01"], "2024-01-31"),
        (["2024-01-31 10:30", "2024-02-01"], "2024-01-31 10:30"),
        (["2024-01-31T10:30:00.5Z", "2024-01-31T10:30+02:00"], "2024-01-31 10:30:00.5+00:00"),
        (["2024-01-31", "9999-12-31"], "2024-01-31"),
        (["2024-01-31", None], "2024-01-31"),
        (["2024-01-31", "unknown"], None),
        (["2024-02-28", "2024-02-30"], None),
        (["2024-01-31T10:30Z", "2024-01-31T10:30"], None),
        (["20240131", "20240201"], None),
        (["2024", "2025"], None),
        (["4711-01-02", "4712-01-02"], None),
        (["2024-01-31-7", "2024-01-31-8"], None),
        (["1.2.2024", "2.2.2024"], None),
    ],
    ids=str,
)
def test_a_column_whose_cells_are_all_iso_dates_holds_dates(tmp_path, cells, read):
    table = people(20).assign(seen=cells * 10)
    table.to_csv(tmp_path / "people.csv", index=False)
    dataset = read_dataset(tmp_path / "people.csv", "bought")
    seen = dataset.X_train["seen"]
    assert pd.api.types.is_datetime64_any_dtype(seen) is (read is not None)
    assert ("dates: every cell of seen is a date or missing" in dataset.said) is (read is not None)
    if read is not None:
        assert pd.Timestamp(read) in seen.tolist()
        assert seen.isna().sum() == pd.Series(cells * 10)[dataset.X_train.index].isna().sum()


def test_days_of_a_parquet_file_are_dates(tmp_path):
    days = pd.to_datetime(pd.Series(["2024-01-31", None] * 10)).dt.date
    people(20).assign(seen=days).to_parquet(tmp_path / "people.parquet")
    assert pd.api.types.is_datetime64_any_dtype(read_dataset(tmp_path / "people.parquet", "bought").X_train["seen"])


@pytest.mark.parametrize(
    ("cells", "message"),
    [(["2024-03-01", "unknown"], "Got 'unknown'"), (["2024-03-01", ""], None)],
    ids=str,
)
def test_validation_rows_hold_dates_where_the_training_rows_do(tmp_path, csv, cells, message):
    people().assign(seen=["2024-01-31", "2024-02-01"] * 30).to_csv(csv, index=False)
    people(20, seed=1).assign(seen=cells * 10).to_csv(tmp_path / "valid.csv", index=False)
    if message:
        with pytest.raises(InvalidInputError, match=message):
            read_dataset(csv, "bought", validation=tmp_path / "valid.csv")
        return
    valid = read_dataset(csv, "bought", validation=tmp_path / "valid.csv").X_valid
    assert pd.api.types.is_datetime64_any_dtype(valid["seen"])


def test_validation_rows_that_look_like_dates_are_texts_where_the_training_rows_are(tmp_path, csv):
    people().assign(seen=["2024-01-31", "never"] * 30).to_csv(csv, index=False)
    people(20, seed=1).assign(seen="2024-01-31").to_csv(tmp_path / "valid.csv", index=False)
    assert not pd.api.types.is_datetime64_any_dtype(
        read_dataset(csv, "bought", validation=tmp_path / "valid.csv").X_valid["seen"]
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "is empty: it has no columns"),
        ("blank.csv", b"\n\n", "is empty: it has no columns"),
        ("header.csv", b"a,b\n", "is empty: it has 2 columns and no rows"),
        ("ragged.csv", b"a,b\n1,2\n1,2,3,4\n", "cannot be read as a table: Error tokenizing data"),
        ("latin.csv", "städte,y\nKöln,1\n".encode("latin-1"), "cannot be read as a table: 'utf-8' codec"),
        ("lies.csv.gz", b"a,b\n1,2\n", "cannot be read as a table: Not a gzipped file"),
        (
            "cut.csv.gz",
            gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:40],
            "cannot be read as a table: Compressed file ended",
        ),
        ("lies.parquet", b"a,b\n1,2\n" * 10, "cannot be read as a table"),
        ("cut.csv.xz", lzma.compress(b"a,b\n1,2\n" * 1000)[:40], "cannot be read as a table"),
        ("cut.csv.bz2", bz2.compress(b"a,b\n1,2\n" * 1000)[:40], "cannot be read as a table"),
        ("broken.csv.gz", gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:20] + b"?" * 20, "cannot be read as a table"),
        ("sheet.xlsx", b"PK", "must be a .csv, .tsv .* or .parquet file"),
        ("plain", b"a,b\n1,2\n", "must be a .csv, .tsv .* or .parquet file"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_a_file_that_is_no_table_is_refused_by_name(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInputError, match=message) as caught:
        read_table(tmp_path / name)
    assert name in str(caught.value)
    assert not str(caught.value).endswith("..")


def test_a_missing_file_and_a_directory_are_refused(tmp_path):
    for path in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(InvalidInputError, match=f"There is no file {path}"):
            read_table(path)


def test_parquet_without_its_extra_says_the_command(tmp_path, monkeypatch):
    def missing(path):
        raise ImportError("Unable to find a usable engine")

    (tmp_path / "p.parquet").write_bytes(b"")
    monkeypatch.setattr(pd, "read_parquet", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'automl-explain\[parquet\]'"):
        read_table(tmp_path / "p.parquet")


# ------------------------------------------------------------------- inferring


@pytest.mark.parametrize(
    ("target", "task", "why"),
    [
        (["a", "b", "c"] * 20, "classification", "3 labels that are not numbers"),
        ([True, False] * 30, "classification", "2 labels"),
        (pd.Series([True, False] * 30, dtype="boolean"), "classification", "2 labels"),
        (pd.Categorical([1, 2] * 30), "classification", "2 labels"),
        ([0, 1, 2] * 20, "classification", "only 3 distinct numbers"),
        ([0.0, 1.0] * 30, "classification", "only 2 distinct numbers"),
        ([0.5, 1.5] * 30, "classification", "only 2 distinct numbers"),
        (list(range(20)) * 3, "classification", "only 20 distinct numbers"),
        (list(range(21)) * 3, "regression", "a number with 21 distinct values"),
        (pd.Series(range(21), dtype="Int64"), "regression", "a number with 21 distinct values"),
        (np.linspace(0, 1, 3).tolist() * 20, "regression", "a number with 3 distinct values"),
        ([1.5, np.inf, 2.0] * 20, "regression", "a number with 3 distinct values"),
        (pd.date_range("2024", periods=3).tolist() * 20, "classification", "3 labels that are not numbers"),
    ],
)
def test_the_task_is_inferred_and_the_reason_said(target, task, why):
    inferred, reason = infer_task(pd.Series(target))
    assert inferred == task
    assert why in reason


def test_a_task_that_is_asked_for_is_not_inferred(csv):
    dataset = read_dataset(csv, "age", task="regression", drop=("bought",))
    assert dataset.task == "regression"
    assert "task: regression, as asked for" in dataset.said
    assert "bought" not in dataset.X_train


# ------------------------------------------------------------------- splitting


def test_a_fifth_is_kept_for_validation_with_the_classes_in_proportion(csv):
    dataset = read_dataset(csv, "bought")
    table = people()
    assert len(dataset.y_train) + len(dataset.y_valid) == len(table)
    for label, count in table["bought"].value_counts().items():
        assert (dataset.y_valid == label).sum() == round(count / 5)
    assert dataset.X_train.columns.tolist() == ["age", "income", "city"]
    assert (dataset.X_train.index == dataset.y_train.index).all()
    assert (dataset.X_valid.index == dataset.y_valid.index).all()
    assert set(dataset.X_train.index).isdisjoint(dataset.X_valid.index)
    assert any(
        line.startswith("validation: 12 of 60 rows, drawn with the classes in proportion (seed 0)")
        for line in dataset.said
    )


def test_the_rows_keep_their_order(csv):
    dataset = read_dataset(csv, "bought")
    assert dataset.X_train.index.is_monotonic_increasing
    assert dataset.X_valid.index.is_monotonic_increasing


def test_the_split_is_decided_by_the_seed_alone(csv):
    state = np.random.get_state()[1].copy()
    first, again, other = (read_dataset(csv, "bought", random_state=seed) for seed in (1, 1, 2))
    assert first.X_valid.equals(again.X_valid)
    assert not first.X_valid.equals(other.X_valid)
    assert np.array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_classes", [2, 3, 12, 29])
def test_every_class_is_in_both_parts(seed, n_classes):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.r_[np.repeat(np.arange(n_classes), 2), rng.integers(0, 2, 40)]).astype(str)
    dataset = split(people(len(y)), y, "classification", [], target="y", random_state=seed)
    assert set(dataset.y_train) == set(dataset.y_valid) == set(y)


def test_a_class_of_a_single_row_is_left_out_and_that_is_said():
    table = people()
    y = table.pop("bought").mask(table.index == 7, "perhaps")
    dataset = split(table, y, "classification", ["data"], target="bought")
    assert "perhaps" not in set(dataset.y_train) | set(dataset.y_valid)
    assert dataset.said[:2] == ("data", "left out 1 rows, each the only one of its class: ['perhaps']")


def test_a_regression_is_split_at_random(csv):
    dataset = read_dataset(csv, "income")
    assert dataset.task == "regression"
    assert len(dataset.y_valid) == 12
    assert any("drawn at random" in line for line in dataset.said)


def test_rows_without_a_target_are_left_out_and_that_is_said(tmp_path):
    table = people()
    table.loc[:4, "bought"] = None
    table.to_csv(tmp_path / "p.csv", index=False)
    dataset = read_dataset(tmp_path / "p.csv", "bought")
    assert "left out 5 rows without a target" in dataset.said
    assert len(dataset.y_train) + len(dataset.y_valid) == 55


def test_validation_rows_of_a_file_are_put_in_the_order_of_the_training_columns(csv, tmp_path):
    more = people(20, seed=1)[["bought", "city", "income", "age"]].assign(extra=1)
    more.to_csv(tmp_path / "more.csv", index=False)
    dataset = read_dataset(csv, "bought", validation=tmp_path / "more.csv")
    assert dataset.X_valid.columns.tolist() == dataset.X_train.columns.tolist() == ["age", "income", "city"]
    assert (len(dataset.y_train), len(dataset.y_valid)) == (60, 20)
    assert dataset.y_valid.tolist() == more["bought"].tolist()
    assert any("validation: 20 rows of" in line for line in dataset.said)


def test_what_was_read_is_said(csv):
    assert read_dataset(csv, "bought").said[:2] == (
        f"data: 60 rows x 3 columns of {csv}", "task: classification, since the target has 2 labels that are not numbers",
    )  # fmt: skip


# ------------------------------------------------------------------- bad input


def saved(table, tmp_path, name="p.csv"):
    table.to_csv(tmp_path / name, index=False)
    return tmp_path / name


@pytest.mark.parametrize(
    ("target", "drop", "message"),
    [
        ("bougth", (), "has no column 'bougth'. Did you mean 'bought'?"),
        ("bought", ("agee",), "has no column 'agee'. Did you mean 'age'?"),
        ("zzz", (), "has no column 'zzz'. It has: age, income, city, bought."),
        ("bought", ("age", "income", "city"), "has no columns except the target 'bought'"),
    ],
)
def test_an_unknown_column_names_the_nearest(csv, target, drop, message):
    with pytest.raises(InvalidInputError) as caught:
        read_dataset(csv, target, drop=drop)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "target", "settings", "message"),
    [
        ({"bought": "no"}, "bought", {}, "The target 'bought' has only one class, 'no': there is nothing to learn."),
        ({"bought": None}, "bought", {}, "The target 'bought' has no values in"),
        (
            {"city": None},
            "bought",
            {},
            "These columns have no values: ['city']. Leave them out: --drop city",
        ),
        ({}, "bought", {"task": "regression"}, "A regression needs a numeric target. 'bought' has"),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_refused(tmp_path, change, target, settings, message):
    with pytest.raises(InvalidInputError) as caught:
        read_dataset(saved(people().assign(**change), tmp_path), target, **settings)
    assert message in str(caught.value)


def test_too_few_rows_are_refused(tmp_path):
    assert len(read_dataset(saved(people(FEWEST_ROWS), tmp_path), "income").y_valid) == 2
    with pytest.raises(InvalidInputError, match=r"at least 10 rows.* Got 9"):
        read_dataset(saved(people(FEWEST_ROWS - 1), tmp_path), "income")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bought": ["no", "perhaps"] * 10}, "classes of 'bought' that the training rows do not: ['perhaps']"),
        (
            {"bought": "no"},
            "do not have all classes of 'bought' in the training rows, so that no model can be scored. Missing: ['yes']",
        ),
    ],
)
def test_validation_rows_need_the_classes_of_the_training_rows(csv, tmp_path, change, message):
    with pytest.raises(InvalidInputError) as caught:
        read_dataset(csv, "bought", validation=saved(people(20).assign(**change), tmp_path, "more.csv"))
    assert message in str(caught.value)


def test_validation_rows_need_the_columns_of_the_training_rows(csv, tmp_path):
    path = saved(people(20).drop(columns="city"), tmp_path, "more.csv")
    with pytest.raises(InvalidInputError, match=r"lacks columns that .* has: \['city'\]"):
        read_dataset(csv, "bought", validation=path)


# ------------------------------------------------- targets that are not labels

MANY = 155


def told(y, **settings):
    return settled(pd.Series(y, name="pay"), settings.get("task"))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([f"{i},5" for i in range(MANY)], "such as '0,5': numbers with a decimal comma. Pass task='regression'"),
        ([f"1.{i:03d},25" for i in range(MANY)], "155 distinct values in 155 rows.*decimal comma"),
        (pd.date_range("2024-01-01", periods=MANY).strftime("%Y-%m-%d"), "dates. Turn them into a number"),
        (pd.date_range("2024-01-01", periods=MANY), "dates. Turn them into a number"),
        ([f"client {i}" for i in range(MANY)], "too many to be labels. Choose another target.*--task classification"),
        ([f"client {i}" for i in range(MANY)] * 3, "too many to be labels"),
    ],
)
def test_a_target_that_is_unlikely_to_be_labels_is_asked_about(y, message):
    with pytest.raises(InvalidInputError, match=message):
        told(y)
    assert told(y, task="classification")[1] == "classification"


def test_numbers_with_a_decimal_comma_are_read_when_they_are_asked_for():
    y, task, why = told(["1,5", "-2", "1.234,25", "1 000,5", "7"], task="regression")
    assert y.tolist() == [1.5, -2.0, 1234.25, 1000.5, 7.0]
    assert (y.name, task) == ("pay", "regression")
    assert "decimal comma" in why


@pytest.mark.parametrize("y", [["a", "b"] * 30, [f"class {i}" for i in range(30)] * 20, ["1,5", "2,5"] * 30])
def test_labels_are_not_asked_about(y):
    assert told(y)[1] == "classification"


def test_a_file_with_such_a_target_is_asked_about(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=200), "pay": [f"{i},5" for i in range(200)]})
    table.to_csv(tmp_path / "pay.csv", index=False)
    with pytest.raises(InvalidInputError, match="decimal comma"):
        read_dataset(tmp_path / "pay.csv", "pay")
    dataset = read_dataset(tmp_path / "pay.csv", "pay", task="regression")
    assert dataset.task == "regression"
    assert pd.api.types.is_float_dtype(dataset.y_train)


def test_labels_of_several_types_are_refused_before_the_search():
    from automl_explain import AutoMLConfig

    X = people().drop(columns="bought")
    with pytest.raises(InvalidInputError, match=r"labels of .* several types, such as 1 and 'a'.*astype\(str\)"):
        AutoMLConfig(task="classification", X=X, y=pd.Series([1, "a"] * 30, name="bought"))
    AutoMLConfig(task="classification", X=X, y=pd.Series([1, 2.5, True] * 20, name="bought", dtype=object))
