"""Files explained as a stream have the values of the table in memory, and survive interruptions."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet as pq
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from automl_explain import (
    ColumnMismatchError,
    Explanation,
    InvalidInputError,
    RowColumns,
    TabularExplainer,
    explain_files,
    load,
    save,
    scoring_explainer,
)
from automl_explain.cli import main
from automl_explain.explainers._processes import part_of
from automl_explain.explainers.parts import _row_sample
from automl_explain.streaming import _explain_files, _output_folder


def write(frame, path):
    if path.suffix == ".parquet":
        frame.to_parquet(path, row_group_size=170)
    elif path.name.startswith("spaced"):  # as adult.csv is written
        path.write_text(frame.to_csv(index=False).replace(",", ", "))
    else:
        frame.to_csv(path, index=False, sep="\t" if ".tsv" in path.suffixes else ",")
    return path


def explained(scorer, frame):
    """The values of each row for its predicted class, from memory."""
    found = scorer.explain_local(frame[list(scorer.schema.names)])
    best = found.predictions.argmax(axis=1)
    return found, found.local_importance_values[best, np.arange(len(frame))]


def value_columns(scorer):
    return [f"value of {name}" for name in scorer.features]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.tsv", "a.csv.gz", "spaced.csv"])
def test_the_values_are_those_of_the_table_in_memory(name, scorer, numbered, tmp_path):
    path = write(numbered, tmp_path / name)
    done = explain_files(scorer, path, tmp_path / "out", columns=RowColumns(("id",)), part_rows=300, progress=False)
    table = pd.read_parquet(tmp_path / "out" / "values")
    whole, values = explained(scorer, numbered)
    assert table.id.tolist() == numbered.id.tolist()
    assert (len(done.values), done.num_rows) == (7, 2_000)
    np.testing.assert_allclose(table[value_columns(scorer)], values, rtol=0, atol=1e-12)
    assert table.prediction.tolist() == [whole.classes[k] for k in whole.predictions.argmax(axis=1)]
    np.testing.assert_allclose(
        table["probability of True"], scorer.predict_proba(numbered[list(scorer.schema.names)])[:, 1]
    )
    np.testing.assert_allclose(done.importance.per_class_values, whole.per_class_values, rtol=1e-12)
    stored = pd.read_csv(tmp_path / "out" / "importance.csv", index_col="feature")
    assert stored.index.tolist() == whole.get_ranked_global_names()
    assert (stored.low <= stored.importance).all()
    assert (stored.importance <= stored.high).all()


def test_folders_of_files_and_of_years_are_read_in_order(scorer, numbered, tmp_path):
    for year, part in numbered.groupby(numbered.index // 1000):
        (tmp_path / "data" / f"year={2020 + year}").mkdir(parents=True)
        write(part, tmp_path / "data" / f"year={2020 + year}" / "rows.parquet")
    (tmp_path / "data" / "_SUCCESS").write_text("")
    options = {"columns": RowColumns(("id", "year")), "where": ["year >= 2021", "a < 0.5", "state == 'New Mexico'"]}
    explain_files(scorer, tmp_path / "data", tmp_path / "out", progress=False, **options)
    table = pd.read_parquet(tmp_path / "out" / "values")
    chosen = numbered[(numbered.index >= 1000) & (numbered.a < 0.5) & (numbered.state == "New Mexico")]
    assert table.id.tolist() == chosen.id.tolist()
    assert set(table.year) == {2021}
    np.testing.assert_allclose(table[value_columns(scorer)], explained(scorer, chosen)[1], rtol=0, atol=1e-12)


def test_the_largest_values_and_those_of_one_class(scorer, numbered, tmp_path):
    path = write(numbered, tmp_path / "a.parquet")
    explain_files(scorer, path, tmp_path / "top", columns=RowColumns(top_k=2, output_class="False", dtype="float32"))
    table = pd.read_parquet(tmp_path / "top" / "values")
    whole = scorer.explain_local(numbered[list(scorer.schema.names)])
    assert table["value 1"].dtype == np.float32
    assert table["feature 2"].tolist() == whole.get_ranked_local_names(2)[0, :, 1].tolist()
    np.testing.assert_allclose(table["value 2"], whole.get_ranked_local_values(2)[0, :, 1], rtol=1e-6)
    explain_files(scorer, path, tmp_path / "some", columns=RowColumns(features=("state", "a")))
    assert list(pd.read_parquet(tmp_path / "some" / "values"))[-2:] == ["value of state", "value of a"]


def test_columns_without_names_are_taken_by_position(tmp_path):
    X = np.random.default_rng(0).normal(size=(50, 3))
    scorer = scoring_explainer(TabularExplainer(LinearRegression().fit(X, X[:, 0]), X))
    path = write(pd.DataFrame(X, columns=["one", "two", "three"]).assign(id=range(50)), tmp_path / "a.csv")
    explain_files(scorer, path, tmp_path / "out", columns=RowColumns(("id",)))
    found = pd.read_parquet(tmp_path / "out" / "values")[["value of x0", "value of x1", "value of x2"]]
    np.testing.assert_allclose(found, scorer.explain(X), atol=1e-12)


class StoppedError(Exception):
    """Stands for whatever ends a process."""


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_an_interrupted_job_leaves_the_same_files(name, scorer, numbered, tmp_path, monkeypatch):
    for number in range(2):
        (tmp_path / "data").mkdir(exist_ok=True)
        write(numbered[number * 1000 : (number + 1) * 1000], tmp_path / "data" / f"{number}{name[1:]}")

    def job(folder):
        explain_files(scorer, tmp_path / "data", folder, columns=RowColumns(("id",)), part_rows=300, progress=False)
        return files_of(folder)

    expected = job(tmp_path / "whole")
    original, left = _output_folder.written_whole, [0]

    def written(path, **options):
        left[0] -= 1
        if left[0] < 0:
            raise StoppedError
        return original(path, **options)

    monkeypatch.setattr(_output_folder, "written_whole", written)
    monkeypatch.setattr(_output_folder, "write_whole", lambda path, content: write_through(written, path, content))
    for stops in range(40):
        left[0] = stops % 4
        try:
            found = job(tmp_path / "stopped")
        except StoppedError:
            continue
        break
    assert stops > 2
    assert found == expected
    monkeypatch.setattr(_explain_files, "_explain_file", None)  # nothing is left to do
    assert job(tmp_path / "stopped") == expected


def write_through(written, path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    with written(path) as stream:
        stream.write(content)


PROGRAM = """
import sys
from automl_explain import explain_files, load
explain_files(load(sys.argv[1]), sys.argv[2], sys.argv[3], part_rows=2000, progress=False)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_the_same_files(scorer, numbered, tmp_path):
    save(scorer, tmp_path / "bundle")
    write(pd.concat([numbered] * 60, ignore_index=True), tmp_path / "a.parquet")
    explain_files(load(tmp_path / "bundle"), tmp_path / "a.parquet", tmp_path / "whole", part_rows=2000)
    command = [sys.executable, "-c", PROGRAM, *(str(tmp_path / name) for name in ("bundle", "a.parquet", "killed"))]
    manifest, seen = tmp_path / "killed" / "manifest.json", 0
    kills = 0
    while True:
        process = subprocess.Popen(command)
        while process.poll() is None:
            if manifest.exists() and len(json.loads(manifest.read_bytes())["parts"]) > seen + 10:
                process.send_signal(signal.SIGKILL)
                process.wait()
            time.sleep(0.01)
        if process.returncode == 0:
            break
        kills += 1
        seen = len(json.loads(manifest.read_bytes())["parts"])
    assert kills >= 2
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def test_bad_input_is_refused_before_any_row_is_explained(scorer, numbered, tmp_path):
    def refused(match, data, kind=InvalidInputError, out="out", **options):
        with pytest.raises(kind, match=match):
            explain_files(scorer, data, tmp_path / out, progress=False, **options)

    good = write(numbered, tmp_path / "a.parquet")
    refused("There is no file or folder", tmp_path / "nowhere.csv")
    refused(r"must be a \.csv", write_text(tmp_path / "a.xlsx"))
    (tmp_path / "mixed").mkdir()
    write(numbered, tmp_path / "mixed" / "1.parquet")
    write(numbered.rename(columns={"a": "A1"}), tmp_path / "mixed" / "2.parquet")
    refused(r"2\.parquet lacks columns that are needed: \['a'\]", tmp_path / "mixed", ColumnMismatchError)
    write(numbered.assign(b="text"), tmp_path / "mixed" / "2.parquet")
    refused(r"Column 'b' of .*2\.parquet has text", tmp_path / "mixed", ColumnMismatchError)
    refused(
        r"a\.parquet has no column 'staet'. Did you mean 'state'",
        good,
        ColumnMismatchError,
        columns=RowColumns(("staet",)),
    )
    refused(r"a\.parquet has no column 'Qq'. It has \[", good, ColumnMismatchError, where=["Qq > 3"])
    refused("must compare a column with a value", good, where=["a"])
    refused(r"must compare a column.*Got 'a => 3'", good, where=["a => 3"])
    refused("cannot be compared with column 'a'", good, where=["a > many"])
    refused("has no class 'Tru'. Did you mean 'True'", good, columns=RowColumns(output_class="Tru"))
    refused("has no feature 'stat'. Did you mean 'state'", good, columns=RowColumns(features=("stat",)))
    refused("at least one row", good, out="none", where=["a > 99"])
    (tmp_path / "ids").mkdir()
    for number, ids in enumerate([np.arange(len(numbered)), np.arange(len(numbered)) / 2, "a7"]):
        write(numbered.assign(key=ids), tmp_path / "ids" / f"{number}.parquet")
    refused(
        r"'key' of .*2\.parquet has text, that of .*0\.parquet numbers",
        tmp_path / "ids",
        ColumnMismatchError,
        columns=RowColumns(("key",)),
    )
    assert not (tmp_path / "out").exists()


def test_columns_that_are_copied_keep_their_types_whatever_the_first_rows_hold(scorer, numbered, tmp_path):
    n = len(numbered)
    first = np.arange(n) < n // 2
    kept = {
        "paid": pa.array(np.arange(n) % 2 == 0, mask=first),
        "note": pa.array([f"n{row}" for row in range(n)], mask=first),
        "count": pa.array(np.arange(n), pa.int32(), mask=~first),
        "on": pa.array([dt.date(2026, 1, 1)] * n, pa.date32(), mask=first),
    }
    table = pa.Table.from_pandas(numbered, preserve_index=False)
    for name, cells in kept.items():
        table = table.append_column(name, cells)
    pq.write_table(table, tmp_path / "a.parquet")
    columns = RowColumns(("state", *kept))
    done = explain_files(scorer, tmp_path / "a.parquet", tmp_path / "out", columns=columns, part_rows=n // 4)
    assert len(done.values) > 1
    made = pa.concat_tables(pq.read_table(path) for path in done.values)  # of one schema
    for name, cells in kept.items():
        assert made[name].to_pylist() == cells.to_pylist()
        assert made.schema.field(name).type == cells.type
    assert made["state"].to_pylist() == numbered.state.astype(object).where(numbered.state.notna(), None).tolist()


def write_text(path):
    path.write_text("a,b\n1,2\n")
    return path


def test_bad_cells_are_named_with_their_file_and_rows(scorer, numbered, tmp_path):
    unknown = numbered.assign(state=numbered.state.astype(object))
    unknown.loc[1_500, "state"] = "Atlantis"
    with pytest.raises(ColumnMismatchError, match=r"a\.parquet, row 1,501: .*'state'.*'Atlantis'"):
        explain_files(scorer, write(unknown, tmp_path / "a.parquet"), tmp_path / "out", part_rows=400)
    text = numbered.assign(b=numbered.b.astype(object))
    text.loc[900, "b"] = "high"
    with pytest.raises(InvalidInputError, match=r"b\.csv cannot be read.*'high'"):
        explain_files(scorer, write(text, tmp_path / "b.csv"), tmp_path / "out2")


def test_a_folder_of_something_else_is_left_alone(scorer, numbered, tmp_path):
    path = write(numbered, tmp_path / "a.parquet")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(InvalidInputError, match="is not empty"):
        explain_files(scorer, path, tmp_path / "mine")
    explain_files(scorer, path, tmp_path / "out")
    with pytest.raises(InvalidInputError, match="holds explanations of something else: columns differ"):
        explain_files(scorer, path, tmp_path / "out", columns=RowColumns(top_k=1))
    with pytest.raises(InvalidInputError, match="is no folder"):
        explain_files(scorer, path, path)


def test_a_folder_that_another_process_writes_to_is_left_to_it(scorer, numbered, tmp_path):
    write(numbered, tmp_path / "a.parquet")
    done = explain_files(scorer, tmp_path / "a.parquet", tmp_path / "out")
    (tmp_path / "out" / "partial").mkdir()  # as a kill before the last step leaves it
    (tmp_path / "out" / "partial" / "rows-00000.explanation").write_bytes(b"")
    left = part_of(tmp_path / "out" / "values" / "part-00000.parquet")
    left.write_bytes(b"")
    with pytest.raises(InvalidInputError, match=f"process {os.getpid()} is writing to the folder"):
        explain_files(scorer, tmp_path / "a.parquet", tmp_path / "out")
    left.rename(left.with_name(left.name.replace(f".{os.getpid()}-", f".{2**22 + 1}-")))
    assert explain_files(scorer, tmp_path / "a.parquet", tmp_path / "out").num_rows == done.num_rows
    assert sorted(path.name for path in (tmp_path / "out").rglob("*part*")) == ["part-00000.parquet"]


def test_a_black_box_in_this_process_is_explained_too(numbered, tmp_path):
    rows = numbered[["b", "c", "d"]]
    scorer = scoring_explainer(TabularExplainer(KNeighborsRegressor().fit(rows, rows.b), rows[:5]))
    done = explain_files(scorer, write(rows[:20], tmp_path / "a.csv"), tmp_path / "out")
    np.testing.assert_allclose(
        done.importance.global_importance_values, np.abs(scorer.explain(rows[:20])).mean(axis=0), rtol=1e-12
    )


def test_the_command_takes_a_bundle_and_continues(scorer, numbered, tmp_path, capsys):
    save(scorer, tmp_path / "bundle")
    write(numbered, tmp_path / "a.csv")
    command = [
        "explain",
        str(tmp_path / "bundle"),
        str(tmp_path / "a.csv"),
        "--out",
        str(tmp_path / "out"),
        "--columns",
        "id",
    ]
    for _ in range(2):
        assert main([*command, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["rows"], list(said["importance"])) == (
            2_000,
            explained(scorer, numbered)[0].get_ranked_global_names(),
        )
    assert main(command) == 0
    assert "2,000 rows in 1 file, and report.html" in capsys.readouterr().out
    assert isinstance(Explanation.load(tmp_path / "out" / "importance.explanation"), Explanation)
    assert main(["explain", str(tmp_path / "bundle"), "--out", str(tmp_path / "other")]) == 2
    assert "--data" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["explain", "score"])
@pytest.mark.parametrize("out", ["out.parquet", "out.csv"])
def test_a_file_without_rows_is_refused(command, out, scorer, numbered, tmp_path, capsys):
    save(scorer, tmp_path / "bundle")
    write(numbered[:0], tmp_path / "a.csv")
    written = tmp_path / (out if command == "score" else "folder")
    assert main([command, str(tmp_path / "bundle"), "--data", str(tmp_path / "a.csv"), "--out", str(written)]) == 2
    assert "must be at least one row" in capsys.readouterr().err
    assert command == "explain" or not written.exists()


@pytest.mark.parametrize("part_rows", [10**6, 300])
def test_a_sample_of_the_rows_is_kept_for_pictures(part_rows, scorer, numbered, tmp_path, monkeypatch):
    monkeypatch.setattr(_row_sample, "MOST_ROWS", 150)
    path = write(numbered, tmp_path / "rows.parquet")
    done = explain_files(scorer, path, tmp_path / "out", part_rows=part_rows, progress=False)
    assert done.sample_rows == list(range(0, 2_000, 16))
    whole, _ = explained(scorer, numbered)
    np.testing.assert_allclose(
        done.sample.local_importance_values, whole.local_importance_values[:, ::16], rtol=0, atol=1e-12
    )
    assert done.sample.data.data.index.tolist() == done.sample_rows
    for name in ("b", "state"):  # cells, not codes
        assert done.sample.data.data[name].dropna().tolist() == numbered[name][::16].dropna().tolist()
    again = explain_files(scorer, path, tmp_path / "out", part_rows=part_rows, progress=False)
    assert again.sample_rows == done.sample_rows
