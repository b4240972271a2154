"""What an ensemble's members bring, kept with an explanation and shown: files, client, report, tables, command line."""

import json
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.ensemble import StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor

from automl_explain import (
    Explanation,
    ExplanationClient,
    InvalidInputError,
    RunHistory,
    TabularExplainer,
    UnsupportedModelError,
    explain_model,
    plot_member_shares,
    retrieve_model_explanation,
    write_report,
)
from automl_explain.cli import main
from automl_explain.display._text_tables import members_table
from tests.families import LGBMC, LGBMR, RF, _pipe, table, target
from tests.report.test_report import EVIL, Page, read

SHARES = ("local_importance_values", "local_member_values", "member_expected_values", "standard_errors")


def soft_vote():
    X = table("frame")
    return VotingClassifier([("lgbm", LGBMC), ("rf", RF)], voting="soft").fit(X, target(X, "binary")), X, {}


def stack_of_several_classes():
    X = table("frame")
    model = StackingClassifier([("lgbm", LGBMC), ("rf", RF)], LogisticRegression(max_iter=5000), cv=3)
    return model.fit(X, target(X, "multiclass")), X, {}


def sampled_regression():
    X = np.random.default_rng(0).normal(size=(80, 15))
    vote = VotingRegressor([("knn", KNeighborsRegressor()), ("ridge", Ridge())])
    return vote.fit(X, X[:, 0] * X[:, 1]), X, {}


def raw_columns():
    X = table("mixed")
    stack = StackingClassifier([("lgbm", LGBMC), ("rf", RF)], LogisticRegression(), cv=3)
    return _pipe(stack).fit(X, target(X, "binary")), X, {"output": "log_odds"}


KINDS = (soft_vote, stack_of_several_classes, sampled_regression, raw_columns)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__)
def explained(request):
    model, X, more = request.param()
    return explain_model(model, X[:40], X[:9], members=True, **more)


def same(first, second, rows=slice(None)):
    for name in SHARES:
        one, other = getattr(first, name), getattr(second, name)
        assert (one is None) == (other is None), name
        if one is not None:
            assert np.array_equal(one, other), name
    for name in ("members", "reason", "notes", "features", "classes", "output_space", "is_raw"):
        assert getattr(first, name) == getattr(second, name), name


def test_explain_model_says_it_when_asked(explained):
    model, X, _ = soft_vote()
    assert explain_model(model, X[:40], X[:9]).members is None
    members = explained.members
    assert members is explained.explanation.members
    assert members.num_examples == 9
    if members.local_importance_values is not None:
        values = explained.explanation.local_importance_values
        np.testing.assert_allclose(members.local_importance_values.sum(axis=0), values, atol=1e-9)
    with pytest.raises(UnsupportedModelError, match="expects an ensemble"):
        explain_model(Ridge().fit(X, target(X, "regression")), X, X[:5], members=True)


def test_a_file_keeps_it(explained, tmp_path):
    explained.explanation.save(tmp_path / "one")
    loaded = Explanation.load(tmp_path / "one")
    same(loaded.members, explained.members)
    assert loaded.members.additivity_error < 1e-9
    assert len(loaded.members.data) == 9
    replace(explained.explanation, members=None).save(tmp_path / "without")
    assert Explanation.load(tmp_path / "without").members is None


def test_rows_raw_columns_and_a_choice_of_features_go_along(explained):
    explanation = explained.explanation
    some = explanation[[2, 5]]
    assert np.array_equal(some.members.local_member_values, explained.members.local_member_values[..., [2, 5]])
    raw = explanation.get_raw_explanation()
    assert raw.members.features == raw.features
    split = raw.members.local_importance_values
    if split is not None:
        np.testing.assert_allclose(split.sum(axis=0), raw.local_importance_values, atol=1e-9)


def test_members_of_other_rows_are_refused(explained):
    with pytest.raises(InvalidInputError, match="must be those of the 9 rows explained. Got 3"):
        replace(explained.explanation, members=explained.members[:3])


def test_it_is_drawn_from_whatever_has_it(explained):
    for source in (explained, explained.explanation, explained.members):
        plot_member_shares(source).figure.canvas.draw()
    with pytest.raises(InvalidInputError, match="members=True"):
        plot_member_shares(replace(explained.explanation, members=None))


def recorded(directory, explanation):
    history = RunHistory(directory)
    search = history.start_search("flaml", "binary", {"metric": "log_loss"})
    row = {"number": 1, "learner": "stack", "config": {}, "loss": None, "metric": "log_loss", "kind": "ensemble",
           "status": "captured", "why": "", "sample_size": None}  # fmt: skip
    (run,) = history.add_runs(search, [row])
    history.store(run, explanation)
    return history, run


def test_a_run_and_its_client_keep_it(explained, tmp_path):
    history, run = recorded(tmp_path, explained.explanation)
    same(retrieve_model_explanation(run, history=history).members, explained.members)
    few = ExplanationClient.from_run(history.run(run)).download_model_explanation(top_k=2)
    assert few.members.features == few.features
    if few.members.local_importance_values is not None:
        assert few.members.local_importance_values.shape[-1] == 2
    assert np.array_equal(few.members.local_member_values, explained.members.local_member_values)


def test_the_report_has_a_section(explained, tmp_path):
    renamed = replace(explained.members, members=(EVIL, "b"))
    history, _ = recorded(tmp_path / "history", replace(explained.explanation, members=renamed))
    page = Page(read(write_report(tmp_path / "r.html", history.runs())))
    assert "members" in page.ids
    assert "What each member contributes" in page.text
    assert explained.members.reason in page.text
    assert "script" not in page.tags or EVIL not in read(tmp_path / "r.html")
    split = explained.members.local_importance_values is not None
    assert ("Each member's part of a feature's importance" in page.text) == split
    without, _ = recorded(tmp_path / "other", replace(explained.explanation, members=None))
    assert "What each member contributes" not in read(write_report(tmp_path / "s.html", without.runs()))


def test_a_terminal_shows_it(explained, tmp_path, capsys):
    _, run = recorded(tmp_path, explained.explanation)
    assert main(["show", run, "--history", str(tmp_path), "--top", "3"]) == 0
    shown = capsys.readouterr().out
    assert members_table(explained.members, top=3) in shown
    assert max(map(len, members_table(explained.members).splitlines())) <= 116
    assert main(["show", run, "--history", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["members"]
    assert told["overall"] == pytest.approx(explained.members.get_member_importance_dict())
    assert told["reason"] == explained.members.reason
    if explained.members.local_importance_values is None:
        assert told["features"] is None
    else:
        label = explained.members.feature_labels[0]
        parts = explained.members.global_importance_values[:, 0].tolist()
        assert told["features"][label] == pytest.approx(dict(zip(explained.members.members, parts, strict=True)))


def test_a_wide_table_shows_the_members_that_bring_most():
    X = table()
    model = VotingRegressor([(f"member number {i}", Ridge(alpha=10.0**i)) for i in range(8)] + [("lgbm", LGBMR)])
    shares = TabularExplainer(model.fit(X, target(X, "regression")), X).explain_members(X[:5])
    text = members_table(shares)
    assert max(map(len, text.splitlines())) <= 116
    first = next(line for line in text.splitlines() if line.startswith("feature"))
    assert first.split("  ")[-1].strip().startswith("member")
    assert all(f"\n{name} " in text for name in shares.members)
