"""What moved between two explanations: figures, columns that differ, and the gate of the command line."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from automl_explain import Explanation, ExplanationDiff, FeatureMap, InvalidInputError, RunHistory
from automl_explain.cli import main

NAMES = ("age", "pay", "town")


def explanation(importance, **changes):
    values = np.array([1.0, -1.0])[:, None] * np.asarray(importance, dtype=float)
    fields = {"features": NAMES, "output_space": "response", "method": "tree", "reason": "its trees"} | changes
    return Explanation(values, np.zeros(1), classes=None, **fields)


def test_the_figures_are_those_of_their_definitions():
    diff = ExplanationDiff.between(explanation([6, 3, 1]), explanation([10, 20, 70], output_space="log_odds"))
    assert list(diff.table.index) == ["town", "age", "pay"]
    np.testing.assert_allclose(diff.table["change"], [0.6, -0.5, -0.1])
    np.testing.assert_allclose(diff.table.loc["town", ["before", "after"]].tolist(), [0.1, 0.7])
    assert diff.table.loc["town", ["rank_before", "rank_after"]].tolist() == [3, 1]
    assert diff.rank_correlation == pytest.approx(spearmanr([6, 3, 1], [10, 20, 70])[0])
    assert diff.moved == pytest.approx(0.6)
    assert diff.remarks() == ["output space differs: response and log_odds"]
    assert "town" in diff.as_text(1)
    assert "age" not in diff.as_text(1)
    assert '<th scope="row">town</th>' in diff._repr_html_()


def test_an_explanation_does_not_differ_from_itself():
    diff = ExplanationDiff.between(explanation([6, 3, 1]), explanation([0.6, 0.3, 0.1]))
    assert diff.moved == pytest.approx(0, abs=1e-15)
    assert diff.rank_correlation == pytest.approx(1)
    assert diff.exceeds(min_correlation=1 - 1e-9, max_change=1e-9) == []


def test_columns_of_one_side_count_as_nothing_on_the_other():
    diff = ExplanationDiff.between(explanation([1, 1, 2]), explanation([3, 1], features=("age", "new")))
    assert (diff.only_before, diff.only_after) == (("pay", "town"), ("new",))
    assert diff.table.loc["new", "before"] == diff.table.loc["town", "after"] == 0
    assert len(diff.remarks()) == 2
    with pytest.raises(InvalidInputError, match="no column in common"):
        ExplanationDiff.between(explanation([1, 1, 2]), explanation([1], features=("height",)))


def test_other_encodings_of_the_same_columns_are_compared_as_raw_ones():
    one_hot = FeatureMap(("age", "town"), np.array([0, 1, 1]))
    before = explanation([1, 1, 2], features=("age", "town_a", "town_b"), feature_map=one_hot)
    diff = ExplanationDiff.between(before, explanation([1, 3], features=("age", "town"), is_raw=True))
    assert diff.moved == pytest.approx(0)
    assert set(diff.table.index) == {"age", "town"}


@pytest.fixture
def runs():
    history = RunHistory()
    row = {"learner": "lgbm", "config": {}, "metric": "rmse", "kind": "trial", "status": "captured", "why": "",
           "sample_size": None, "loss": 1.0}  # fmt: skip
    ids = history.add_runs(history.start_search("own", "regression", {}), [row | {"number": i} for i in range(3)])
    for run_id, importance in zip(ids, ([6, 3, 1], [1, 3, 6]), strict=False):
        history.store(run_id, explanation(importance))
    return ids


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ([], 0),
        (["--min-correlation", "-1"], 0),
        (["--min-correlation", "0.9"], 3),
        (["--max-change", "0.51"], 0),
        (["--max-change", "0.49"], 3),
    ],
)
def test_the_command_is_a_gate(runs, limits, code, capsys):
    assert main(["diff", runs[0], runs[1], "--json", *limits]) == code
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["rank_correlation"] == pytest.approx(-1)
    assert found["features"][0]["change"] == pytest.approx(-0.5)
    assert found["features"][0]["rank_before"] == 1
    assert bool(found["exceeded"]) == bool(err) == (code == 3)
    assert main(["diff", runs[0], runs[1], *limits]) == code
    assert "rank correlation" in capsys.readouterr().out


def test_files_and_runs_compare_and_bad_names_are_said(runs, tmp_path, capsys):
    path = tmp_path / "old.explanation"
    explanation([6, 3, 1]).save(path)
    assert main(["diff", str(path), runs[0], "--max-change", "1e-9"]) == 0
    capsys.readouterr()
    assert main(["diff", runs[0], "nope"]) == 2
    assert "There is no run 'nope'" in capsys.readouterr().err
    assert main(["diff", runs[0], runs[2]]) == 2
    assert "has no explanation" in capsys.readouterr().err
    (tmp_path / "text").write_text("no bundle")
    assert main(["diff", runs[0], str(tmp_path / "text")]) == 2
    with pytest.raises(SystemExit):
        main(["diff", runs[0], runs[1], "--min-correlation", "high"])
