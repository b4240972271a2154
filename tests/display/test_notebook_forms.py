"""The notebook forms show what users and libraries wrote as text, and the right numbers."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.ensemble import VotingRegressor
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor

from automl_explain import ExplanationDiff, SearchExplanation, TabularExplainer
from automl_explain._model_explanation import ModelExplanation
from automl_explain.integrations.history._run import Runs
from tests import explanation_cases as cases
from tests.report.test_report import EVIL, search

NAMES = (EVIL, "a \"quoted\" 'name' & more", "x" * 300, "年龄 🙂", "line\nbreak", "<img src=x onerror=alert(1)>")


class Form(HTMLParser):
    """Reads a form, checks that every tag is closed in order, and keeps the words and the tags."""

    def __init__(self, source):
        super().__init__()
        self.open, self.tags, self.words, self.titles, self.widths = [], [], [], [], []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.titles += [value for name, value in attrs if name == "title"]
        self.widths += [float(value[len("width: ") : -1]) for name, value in attrs if name == "style"]
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def explanation():
    values = np.random.default_rng(0).normal(size=(20, len(NAMES)))
    return cases.attributed(values, features=NAMES, notes=(f"note {EVIL}",))


def members():
    X = np.random.default_rng(0).normal(size=(40, len(NAMES)))
    vote = VotingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=3))]).fit(X, X[:, 0] * X[:, 1])
    shares = TabularExplainer(vote, X, features=NAMES).explain_members(X[:10])
    return replace(shares, members=(EVIL, "b"), notes=(EVIL,))


def forms(directory):
    one = explanation()
    runs = search(directory, one, n_trials=3)
    other = cases.attributed(np.ones((3, len(NAMES))), features=NAMES)
    return (
        one,
        ModelExplanation(one, "trial", "1-0001"),
        members(),
        SearchExplanation.from_runs(runs),
        ExplanationDiff.between(one, other),
    )


def test_names_are_shown_as_text_in_every_form(tmp_path):
    for shown in forms(tmp_path):
        form = Form(shown._repr_html_())
        assert {"script", "img"}.isdisjoint(form.tags), type(shown)
        for name in (EVIL, NAMES[1], "年龄 🙂", "line break", NAMES[5]):
            assert name in form.text, type(shown)
        assert "x" * 300 in form.titles, "a long name is shortened, and whole in its tooltip"
        assert "x" * 300 not in form.text.replace(" ", "") or isinstance(shown, SearchExplanation)


def test_a_model_explanation_names_its_run():
    assert "trial 1-0001" in Form(ModelExplanation(explanation(), "trial", "1-0001")._repr_html_()).text


def test_bars_and_numbers_are_those_of_the_importance():
    one = cases.regression()
    form = Form(one._repr_html_())
    values = one.get_ranked_global_values(10)
    np.testing.assert_allclose(form.widths, 100 * values / values[0], atol=0.051)
    assert f"{values[0]:,.0f}" in form.text
    assert "mean |contribution| (response)" in form.text


def test_a_negative_importance_has_its_sign_and_colour():
    source = cases.global_only()._repr_html_()
    assert source.count('class="bar minus"') == 1
    assert "−0.250" in source  # noqa: RUF001


def test_features_beyond_the_first_ten_are_counted():
    assert "290 further features" in cases.many_features()._repr_html_()


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.__name__)
def test_every_kind_has_a_form(case):
    explanation = case()
    form = Form(explanation._repr_html_())
    known = explanation.local_importance_values is not None or explanation.class_values is not None
    assert form.tags.count("table") == (2 if known and len(explanation.classes or ()) > 2 else 1)


def test_runs_intervals_and_explainers_have_forms(tmp_path):
    runs = search(tmp_path, cases.multiclass(), n_trials=3)
    assert Form(Runs(runs)._repr_html_()).tags.count("tr") == 4
    assert runs[0].id in runs[0]._repr_html_()
    frame = Runs(runs).to_frame()
    assert frame.index.tolist() == [run.id for run in runs]
    assert frame["score"].tolist() == [run.score for run in runs]
    assert runs[0].to_frame().shape == (1, 9)
    importance = cases.multiclass().global_importance(n_resamples=50)
    assert Form(importance._repr_html_()).tags.count("table") == 1
    X = np.random.default_rng(0).normal(size=(20, 3))
    explainer = TabularExplainer(Ridge().fit(X, X[:, 0]), X)
    assert "linear" in explainer._repr_html_()
    np.testing.assert_array_equal(
        explainer(X[:4]).local_importance_values, explainer.explain_local(X[:4]).local_importance_values
    )
