import re
from html.parser import HTMLParser
from itertools import pairwise

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pytest

from automl_explain import Explanation, HistoryError, InvalidInputError, RunHistory, save_plots, write_report
from automl_explain.display._unexplained import unexplained
from automl_explain.report._facts import tell
from automl_explain.report._findings import first_look
from automl_explain.report._rows import choose_rows
from tests import explanation_cases as cases

EVIL = '<script>alert("1")</script>'
PICTURED = (cases.binary, cases.multiclass, cases.one_feature, cases.zeros, cases.global_only)
VOID = {"meta", "img"}


class Page(HTMLParser):
    """Reads a document, checks that every tag is closed in order, and keeps what tests ask for."""

    def __init__(self, source):
        super().__init__()
        self.open, self.tags, self.attributes, self.words, self.ids = [], [], [], [], []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def search(directory, explanation, *, n_trials=6, kind=None, task="binary", facts=None, explain=True, loss=None):
    """A history with one search: of every five trials one is skipped and one has failed."""
    history = RunHistory(directory)
    told = {
        "metric": "log_loss", "search_seconds": 12.5, "training_rows": 120, "validation_rows": cases.N_ROWS,
        "dropped_columns": ["<b>id</b>", "const"], "options": {"which": "all", "time_budget": None},
        "versions": {"automl-explain": "0.1.0", "flaml": "2.7.0"},
    }  # fmt: skip
    found = history.start_search("flaml", task, told if facts is None else facts)
    rows = []
    for number in range(n_trials):
        status = {3: "skipped", 4: "failed"}.get(number % 5, "captured")
        why = {"skipped": f"too slow: {number} s for 10 rows", "failed": f"ValueError: {EVIL}"}.get(status, "")
        rows.append(
            {"number": number, "learner": EVIL if number == 1 else "lgbm", "config": {"n_estimators": 4 + number},
             "loss": 1.0 / (number + 1) if loss is None else loss[number], "metric": "log_loss", "kind": "trial",
             "status": status, "why": why, "sample_size": 50}
        )  # fmt: skip
    if kind:
        final = {"number": n_trials, "loss": None, "kind": kind, "status": "captured", "why": "", "sample_size": None}
        rows.append(rows[0] | final)
    for row, run_id in zip(rows, history.add_runs(found, rows), strict=True):
        if explain and row["status"] == "captured":
            history.store(run_id, explanation, seconds=0.25)
    return history.runs(found)


def read(path):
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.__name__)
def test_every_report_is_a_whole_document_that_needs_nothing_else(case, tmp_path):
    runs = search(tmp_path / "history", case(), kind="refit")
    source = read(write_report(tmp_path / "report.html", runs))
    page = Page(source)
    assert source.startswith("<!DOCTYPE html>")
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", source)), "asks the network"
    assert all(value.startswith("data:") for _, name, value in page.attributes if name == "src")
    assert not {"link", "iframe", "object"} & set(page.tags)
    assert len(page.ids) == len(set(page.ids))
    targets = [value[1:] for tag, name, value in page.attributes if tag == "a" and name == "href"]
    assert set(targets) <= set(page.ids), "a link of the contents leads nowhere"
    alternatives = [value for tag, name, value in page.attributes if tag == "img" and name == "alt"]
    assert len(alternatives) == page.tags.count("img")
    assert all(len(words) > 20 for words in alternatives)
    for run in runs:
        assert run.id in page.text
        assert run.why in page.text
    assert plt.get_fignums() == []


class TestContent:
    def test_headings_are_nested(self, tmp_path):
        page = Page(read(write_report(tmp_path / "r.html", search(tmp_path, cases.binary(), kind="ensemble"))))
        levels = [int(tag[1]) for tag in page.tags if re.fullmatch(r"h\d", tag)]
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))

    def test_what_users_and_libraries_wrote_is_escaped(self, tmp_path):
        explanation = cases.attributed(
            np.ones((3, 1, 2)), (EVIL, "b", "c"), features=(EVIL, "$x$"), notes=(EVIL,), space="probability"
        )
        source = read(write_report(tmp_path / "r.html", search(tmp_path, explanation), title=EVIL))
        assert EVIL not in source
        assert source.count("<script>") == 1
        assert "<b>id</b>" not in source
        assert EVIL in Page(source).text

    def test_says_what_search_it_was(self, tmp_path):
        runs = search(tmp_path, cases.binary(), kind="refit")
        words = Page(read(write_report(tmp_path / "r.html", runs))).text
        for part in (runs[0].search, "engine flaml", "task binary", "log_loss", "120 training rows", "2.7.0", "12.5 s"):
            assert part in words

    def test_best_run_is_marked_once(self, tmp_path):
        source = read(write_report(tmp_path / "r.html", search(tmp_path, cases.binary())))
        assert source.count('<tr class="best">') == 1
        marked = source.split('<tr class="best">')[1].split("</tr>")[0]
        assert "-0005" in marked

    def test_importance_of_every_class_is_shown(self, tmp_path):
        explanation = cases.multiclass()
        words = Page(read(write_report(tmp_path / "r.html", search(tmp_path, explanation)))).text
        for value in (*explanation.get_ranked_global_values(1), *explanation.get_ranked_per_class_values(1)[:, 0]):
            assert f"{value:#.3g}" in words

    def test_bars_are_as_long_as_the_importances(self, tmp_path):
        explanation = cases.regression()
        source = read(write_report(tmp_path / "r.html", search(tmp_path, explanation), top_k=4))
        widths = [float(width) for width in re.findall(r'class="bar" style="width: ([\d.]+)%', source)]
        values = explanation.get_ranked_global_values(4)
        np.testing.assert_allclose(widths, 100 * values / values[0], atol=0.051)

    def test_removed_columns_and_additivity_are_said(self, tmp_path):
        words = Page(read(write_report(tmp_path / "r.html", search(tmp_path, cases.binary())))).text
        assert "so their importance is 0" in words
        assert "const" in words
        assert "additivity error" in words

    def test_standard_errors_and_notes_are_said(self, tmp_path):
        words = Page(read(write_report(tmp_path / "r.html", search(tmp_path, cases.sampled())))).text
        assert "25 of 200 background rows" in words
        assert "sampled: median standard error" in words

    def test_steps_lead_to_the_output(self, tmp_path):
        explanation = cases.binary()
        source = read(write_report(tmp_path / "r.html", search(tmp_path, explanation), rows=1))
        words = Page(source).text
        highest = int(explanation.predictions[:, 1].argmax())
        lowest = int(explanation.predictions[:, 1].argmin())
        assert f"Row {highest}: highest log-odds of class yes: {explanation.predictions[highest, 1]:#.3g}" in words
        assert f"Row {lowest}: lowest log-odds of class yes" in words

    def test_without_any_explanation(self, tmp_path):
        runs = search(tmp_path, cases.binary(), explain=False)
        page = Page(read(write_report(tmp_path / "r.html", runs)))
        assert "There is no explanation to show" in page.text
        assert "img" not in page.tags

    def test_without_any_loss_or_fact(self, tmp_path):
        runs = search(tmp_path, cases.binary(), loss=[None] * 6, facts={})
        assert "No trial of this search was scored." in Page(read(write_report(tmp_path / "r.html", runs))).text

    def test_a_lost_explanation_is_reported_not_raised(self, tmp_path):
        runs = search(tmp_path, cases.binary())
        for file in (tmp_path / "explanations").iterdir():
            file.write_bytes(b"no bundle")
        assert "is not a file that automl-explain wrote" in Page(read(write_report(tmp_path / "r.html", runs))).text

    def test_writes_what_the_search_ended_with_first(self, tmp_path):
        source = read(write_report(tmp_path / "r.html", search(tmp_path, cases.binary(), kind="ensemble")))
        assert re.findall("<h2>(The .*?)</h2>", source) == ["The final ensemble", "The best run"]


class TestSize:
    @pytest.mark.slow
    def test_300_runs(self, tmp_path, monkeypatch):
        runs = search(tmp_path, large(), n_trials=300, kind="refit")
        files, load = [], Explanation.load
        monkeypatch.setattr(Explanation, "load", lambda path: files.append(path) or load(path))
        path = write_report(tmp_path / "report.html", runs)
        assert len(files) == len(set(files)) == 300 * 3 // 5 + 1, "each explanation is read once"
        assert 20_000 < path.stat().st_size < 5_000_000
        assert Page(read(path)).tags.count("img") <= 9, "pictures are of two models, however many runs there are"


def large():
    return cases.attributed(
        np.random.default_rng(0).normal(size=(3, 500, 40)), ("a", "b", "c"), space="probability",
        data=np.random.default_rng(1).normal(size=(500, 40)),
    )  # fmt: skip


class TestWriting:
    def test_makes_the_folder_and_replaces_the_file(self, tmp_path):
        runs = search(tmp_path, cases.regression())
        path = write_report(tmp_path / "a" / "b" / "r.html", runs, title="first")
        assert write_report(str(path), runs, title="second") == path
        assert "second" in read(path)
        assert [file.name for file in path.parent.iterdir()] == ["r.html"]

    def test_a_failure_leaves_the_old_file_and_nothing_else(self, tmp_path, monkeypatch):
        runs = search(tmp_path / "history", cases.regression())
        path = write_report(tmp_path / "out" / "r.html", runs)
        before = read(path)

        def broken(*_):
            raise OSError("disk full")

        monkeypatch.setattr("automl_explain.report._write.os.replace", broken)
        with pytest.raises(HistoryError, match="disk full"):
            write_report(path, runs, title="new")
        assert read(path) == before
        assert [file.name for file in path.parent.iterdir()] == ["r.html"]

    def test_a_file_in_the_way_of_the_folder(self, tmp_path):
        (tmp_path / "file").write_text("x")
        with pytest.raises(HistoryError, match="cannot be written"):
            write_report(tmp_path / "file" / "r.html", search(tmp_path / "h", cases.regression()))

    @pytest.mark.parametrize("rows", [-1, 6, 1.5, True])
    def test_rows(self, tmp_path, rows):
        with pytest.raises(InvalidInputError, match="from 0 to 5"):
            write_report(tmp_path / "r.html", search(tmp_path, cases.regression()), rows=rows)

    def test_runs_of_one_search(self, tmp_path):
        runs = search(tmp_path, cases.regression()) + search(tmp_path, cases.regression())
        with pytest.raises(InvalidInputError, match="runs of 2"):
            write_report(tmp_path / "r.html", runs)

    @pytest.mark.parametrize("runs", [[], [1]])
    def test_no_runs(self, tmp_path, runs):
        with pytest.raises(InvalidInputError, match="runs of a search"):
            write_report(tmp_path / "r.html", runs)


class TestStory:
    def test_reasons_that_differ_in_numbers_are_one_group(self, tmp_path):
        groups = unexplained(search(tmp_path, cases.regression(), n_trials=20))
        assert [(group.status, len(group.runs), group.varies) for group in groups] == [
            ("skipped", 4, True),
            ("failed", 4, False),
        ]

    def test_sentences(self, tmp_path):
        runs = search(tmp_path, cases.regression(), n_trials=10, kind="refit")
        sentences = " ".join(first_look(tell(runs)))
        assert f"The best of 10 trials is {runs[9].id} (lgbm) with log loss 0.1." in sentences
        assert "It was not explained: ValueError" in sentences
        assert "4 of 11 runs were not explained: 2 skipped, 2 failed." in sentences
        names = [name for name, _ in runs[0].top[:3]]
        assert f"All 7 explained runs agree on the 3 most important features: {names[0]}, {names[1]} and" in sentences

    def test_a_feature_that_most_runs_name_is_pointed_out(self, tmp_path):
        runs = search(tmp_path, cases.regression(), n_trials=4)
        other = cases.attributed(np.arange(1.0, 5.0)[None, :], features=("age", "b", "c", "d"))
        runs[0].history.store(runs[0].id, other)
        sentences = " ".join(first_look(tell(runs[0].history.runs(runs[0].search))))
        assert re.search(r"“.+” is among the 3 most important features in [23] of 3 explained runs", sentences)

    def test_the_best_explained_run_stands_in_for_one_that_was_not(self, tmp_path):
        (model,) = tell(search(tmp_path, cases.regression(), n_trials=5)).models
        assert (model.run.number, model.name) == (2, "The best explained run")

    def test_values_that_do_not_add_up_are_pointed_out(self, tmp_path):
        good = cases.regression()
        bad = type(good)(**{**vars_of(good), "predictions": good.predictions + 500})
        assert "Take care" in " ".join(first_look(tell(search(tmp_path, bad))))
        assert "Take care" not in " ".join(first_look(tell(search(tmp_path, good))))

    def test_rows_of_two_classes_are_the_ends_of_the_positive_one(self):
        explanation = cases.binary()
        rule, rows = choose_rows(explanation, 2)
        order = explanation.predictions[:, 1].argsort()
        assert [row.row for row in rows] == [order[-1], order[-2], order[0], order[1]]
        assert "log-odds of class yes" in rule

    def test_rows_of_several_classes_are_the_surest_and_the_least_sure(self):
        explanation = cases.multiclass()
        _, rows = choose_rows(explanation, 1)
        ordered = np.sort(explanation.predictions, axis=1)
        margin = ordered[:, -1] - ordered[:, -2]
        assert [row.row for row in rows] == [margin.argmax(), margin.argmin()]
        assert [row.position for row in rows] == [explanation.predictions[row.row].argmax() for row in rows]

    @pytest.mark.parametrize("n_rows", [1, 2, 3])
    def test_few_rows_are_named_once(self, n_rows):
        _, rows = choose_rows(cases.regression()[list(range(n_rows))], 5)
        assert sorted(row.row for row in rows) == list(range(n_rows))


def vars_of(explanation):
    return {name: getattr(explanation, name) for name in explanation.__dataclass_fields__}


class TestSavePlots:
    @pytest.mark.parametrize("case", PICTURED, ids=lambda case: case.__name__)
    def test_files_are_pictures(self, case, tmp_path):
        paths = save_plots(tmp_path / "plots", case())
        assert sorted(path.name for path in paths) == sorted(file.name for file in (tmp_path / "plots").iterdir())
        for path in paths:
            height, width, _ = matplotlib.image.imread(path).shape
            assert width > 900
            assert height > 200
        assert plt.get_fignums() == []

    def test_names(self, tmp_path):
        explanation = cases.regression()
        ends = (int(explanation.predictions.argmax()), int(explanation.predictions.argmin()))
        names = [path.name for path in save_plots(tmp_path, explanation)]
        assert names == ["importance.png", "summary.png", f"row-{ends[0]}.png", f"row-{ends[1]}.png"]

    def test_a_picture_for_each_of_several_classes(self, tmp_path):
        names = [path.name for path in save_plots(tmp_path, cases.multiclass())]
        assert names[1:4] == ["summary-0-0.png", "summary-1-1.png", "summary-2-2.png"]

    def test_at_most_ten_classes_and_names_fit_for_any_file_system(self, tmp_path):
        labels = tuple(f"a/b\\c:{j}*" for j in range(14))
        explanation = cases.attributed(np.ones((14, 3, 2)), labels, space="probability")
        names = [path.name for path in save_plots(tmp_path, explanation)]
        assert sum(name.startswith("summary-") for name in names) == 10
        assert all(re.fullmatch(r"[a-z0-9.-]+", name) for name in names)

    def test_names_in_other_scripts(self, tmp_path):
        assert save_plots(tmp_path, cases.attributed(np.ones((4, 2)), features=("年龄", "收入")))

    def test_not_an_explanation(self, tmp_path):
        with pytest.raises(InvalidInputError, match="Expected a ModelExplanation"):
            save_plots(tmp_path, [1, 2])
