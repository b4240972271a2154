import re
from dataclasses import replace

import numpy as np
import pytest

from automl_explain import InvalidInputError
from automl_explain.display._text_tables import WIDTH, runs_table, runs_text, six_values_tables
from tests import explanation_cases as cases
from tests.report.test_report import EVIL, search


@pytest.fixture(params=cases.CASES, ids=lambda case: case.__name__)
def explanation(request):
    return request.param()


class TestRunsTable:
    def test_a_line_for_each_run_with_aligned_columns(self, tmp_path):
        runs = search(tmp_path, cases.binary(), n_trials=12, kind="ensemble")
        lines = runs_table(runs).splitlines()
        place = lines[0].index("run")
        for run, line in zip(runs, lines[2:], strict=False):
            assert line[place:].startswith(run.id)
            assert line[lines[0].index("status") :].startswith(run.status)

    def test_fits_the_terminal(self, tmp_path):
        table = runs_table(search(tmp_path, cases.binary(), n_trials=12, kind="ensemble"))
        assert max(map(len, table.splitlines())) <= WIDTH <= 120

    def test_best_is_marked_and_the_metric_named(self, tmp_path):
        table = runs_table(search(tmp_path, cases.binary()))
        marked = [line for line in table.splitlines()[2:] if line.startswith("*")]
        assert len(marked) == 1
        assert "-0005" in marked[0]
        assert "* lowest loss (metric log_loss)" in table

    def test_best_of_each_search(self, tmp_path):
        runs = search(tmp_path, cases.binary()) + search(tmp_path, cases.regression())
        table = runs_table(runs)
        assert sum(line.startswith("*") for line in table.splitlines()[2:]) == 2
        assert "of its search" in table

    def test_top_features_or_the_reason(self, tmp_path):
        runs = search(tmp_path, cases.regression(), n_trials=5)
        table = runs_table(runs, top=2)
        features = [name for name, _ in runs[0].top]
        assert features[0] in table
        assert features[2] not in table
        assert f"1 failed: ValueError: {EVIL}" in table
        assert "1 skipped: too slow: 3 s for 10 rows" in table

    def test_the_first_name_is_whole_where_there_is_room(self, tmp_path):
        names = ("worst concave points", "mean fractal dimension", "another of that length")
        explanation = cases.attributed([[3.0, 2.0, 1.0]], features=names)
        table = runs_table(search(tmp_path, explanation, n_trials=2))
        assert "worst concave points" in table
        assert max(map(len, table.splitlines())) <= WIDTH

    def test_counts(self, tmp_path):
        assert "10 runs: 6 explained, 2 skipped, 2 failed" in runs_table(search(tmp_path, cases.binary(), n_trials=10))

    def test_one_run(self, tmp_path):
        assert (
            runs_table(search(tmp_path, cases.binary(), n_trials=1)).splitlines()[-1].startswith("1 run: 1 explained")
        )

    def test_no_runs(self):
        assert runs_table([]) == "no runs"

    def test_top(self, tmp_path):
        with pytest.raises(InvalidInputError):
            runs_table(search(tmp_path, cases.binary()), top=0)


class TestRunsText:
    def test_names_the_columns_that_the_library_dropped_and_an_unexplained_final_model(self, tmp_path):
        names = [f"a rather long name of a column {j}" for j in range(12)]
        runs = search(tmp_path, cases.binary(), facts={"dropped_columns": names})
        text = " ".join(runs_text(runs[:1], of=runs).split())
        assert f"flaml dropped 12 columns, which no model reads: {names[0]}, {names[1]}" in text
        broken = [replace(run, status="skipped", why="no time " * 20) for run in runs]
        shown = runs_text(runs[:1], of=broken)
        assert "was not explained: no time no time" in shown
        assert max(map(len, shown.splitlines())) <= WIDTH


class TestSixValues:
    def test_every_name_is_there_and_every_line_fits(self, explanation):
        tables = six_values_tables(explanation)
        for name in (
            "shap_values",
            "expected_values",
            "overall_summary",
            "overall_imp",
            "per_class_summary",
            "per_class_imp",
        ):
            assert name in tables
        assert max(map(len, tables.splitlines())) <= WIDTH

    def test_values_are_those_of_the_explanation(self):
        explanation = cases.multiclass()
        tables = six_values_tables(explanation, rows=2, top=3)
        values = explanation.local_importance_values
        assert "7 less important columns" in tables
        tables = six_values_tables(explanation, rows=2)
        first = tables.split("class 0\n")[1].splitlines()
        columns = first[0].split()
        assert columns[0] == "row"
        shown = [float(cell) for cell in first[2].split()[1:]]
        j = list(explanation.features).index("age")
        assert shown[columns.index("age") - 1] == pytest.approx(values[0, 0, j], rel=0.01)
        assert "... and 58 more rows" in tables

    def test_overall_ranking(self):
        explanation = cases.nameless()
        lines = six_values_tables(explanation, top=3).split("4 overall_imp")[1].splitlines()
        cells = [line.split() for line in lines if re.match(r"\d+  ", line)][:3]
        assert [int(cell[1]) for cell in cells] == explanation.get_ranked_global_names(3)
        np.testing.assert_allclose(
            [float(cell[2]) for cell in cells], explanation.get_ranked_global_values(3), rtol=0.01
        )
        assert "... and 2 more features" in six_values_tables(explanation, top=3)

    def test_per_class_ranking(self):
        explanation = cases.multiclass()
        block = six_values_tables(explanation, top=2).split("6 per_class_imp")[1]
        numbers = next(filter(None, (re.findall(r"\d\.\d{2,}", line) for line in block.splitlines())))
        np.testing.assert_allclose(
            [float(number) for number in numbers], explanation.get_ranked_per_class_values(1)[:, 0], rtol=0.01
        )

    def test_few_rows_are_said_first_and_have_intervals(self):
        note = "rows: 10 of 450 validation rows, drawn at random"
        tables = six_values_tables(replace(cases.regression()[:10], notes=(note,)))
        assert tables.startswith("only 10 of 450 validation rows were explained")
        assert "95% interval" in tables
        assert max(map(len, tables.splitlines())) <= WIDTH
        assert "95% interval" not in six_values_tables(cases.regression())

    def test_many_classes_continue_below(self):
        tables = six_values_tables(cases.many_classes())
        assert all(f"class class number {j}" in tables for j in range(12))

    def test_a_regression_has_no_classes(self):
        assert "6 per_class_imp: None for a regression" in six_values_tables(cases.regression())

    def test_columns_that_do_not_fit_are_counted(self):
        found = re.search(r"and 55 more rows, (\d+) less important columns", six_values_tables(cases.many_features()))
        assert found
        assert 290 <= int(found[1]) < 300

    def test_method_accuracy_and_notes(self):
        tables = six_values_tables(cases.sampled())
        assert "method: kernel: made by hand" in tables
        assert "additivity: " in tables
        assert "note: 25 of 200 background rows" in tables

    @pytest.mark.parametrize("bad", [0, -1, 1.5])
    def test_bad_numbers(self, bad):
        with pytest.raises(InvalidInputError):
            six_values_tables(cases.binary(), rows=bad)
        with pytest.raises(InvalidInputError):
            six_values_tables(cases.binary(), top=bad)
