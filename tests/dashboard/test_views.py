"""The views of the page in a real browser: their numbers are those of Python."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import VotingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from automl_explain import ExplanationDashboard, ImageExplainer, TextExplainer, explain_model
from automl_explain.integrations.sklearn_search import ExplainingScorer
from tests.dashboard.cases import class_values, select, show, table_of

pytestmark = pytest.mark.slow


# ------------------------------------------------------------------ numbers


def test_importance_is_that_of_the_explanation(case, open_page):
    four = case("four_classes")
    page = open_page(four.path)
    show(page, "Global importance")
    table = table_of(page).set_index("Feature")
    wanted = np.asarray(four.explanation.per_class_values)
    for c, name in enumerate(map(str, four.explanation.classes)):
        np.testing.assert_allclose(table[name][list(four.explanation.feature_labels)], wanted[c], rtol=1e-12)
    page.get_by_text("The chosen class", exact=True).click()
    page.get_by_label("Class", exact=True).select_option(label="2")
    found = table_of(page).set_index("Feature")["Importance"]
    np.testing.assert_allclose(found[list(four.explanation.feature_labels)], wanted[2], rtol=1e-12)
    assert found.is_monotonic_decreasing


def test_the_slider_says_how_many_features_are_drawn(case, open_page):
    page = open_page(case("cancer").path)
    show(page, "Global importance")
    page.get_by_label("Features shown").fill("4")
    assert page.get_by_role("img").first.get_attribute("aria-label") == "Bar chart: importance of 4 features."
    assert "26 more features" in page.locator(".axd-view").inner_text()


@pytest.mark.parametrize(
    ("name", "feature", "label"), [("cancer", "worst area", "malignant"), ("churn", "income", "stays")]
)
def test_points_of_a_feature_are_its_cells_and_values(case, open_page, name, feature, label):
    one = case(name)
    page = open_page(one.path)
    page.get_by_label("Class", exact=True).select_option(label=label)
    show(page, "Explanation exploration")
    page.get_by_label("Feature, most important first").select_option(label=feature)
    table = table_of(page)
    position = list(one.explanation.feature_labels).index(feature)
    wanted = class_values(one.explanation, label)[:, position]
    np.testing.assert_allclose(table[f"importance of {feature}"], wanted, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(table[feature].to_numpy(), one.rows[feature].to_numpy())


def test_boxes_of_a_category_are_its_quartiles(case, open_page):
    churn = case("churn")
    page = open_page(churn.path)
    show(page, "Explanation exploration")
    page.get_by_label("Feature, most important first").select_option(label="plan")
    page.get_by_text("Boxes", exact=True).click()
    table = table_of(page).set_index("plan")
    values = pd.Series(class_values(churn.explanation, "stays")[:, list(churn.rows.columns).index("plan")])
    for level, members in values.groupby(churn.rows["plan"].to_numpy()):
        assert table.loc[level, "Rows"] == len(members)
        np.testing.assert_allclose(table.loc[level, ["First quartile", "Median", "Third quartile"]].to_numpy(dtype=float),
                                   members.quantile([0.25, 0.5, 0.75]), rtol=1e-5, atol=1e-6)  # fmt: skip


@pytest.mark.parametrize("kind", ["Swarm", "Boxes", "Violins"])
def test_the_summary_shows_the_most_important_features(case, open_page, kind):
    cancer = case("cancer")
    page = open_page(cancer.path)
    show(page, "Summary")
    page.get_by_text(kind, exact=True).click()
    table = table_of(page)
    values = pd.DataFrame(class_values(cancer.explanation, "malignant"), columns=cancer.explanation.feature_labels)
    ranked = values.abs().mean().sort_values(ascending=False).index[:12]
    assert list(table["Feature"]) == list(ranked)
    np.testing.assert_allclose(table["Median"], values[ranked].median(), rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------ performance and cohorts


def scores_of(page):
    names = page.locator(".axd-cards dt").all_inner_texts()
    return dict(zip(names, page.locator(".axd-cards dd").all_inner_texts(), strict=True))


def test_performance_is_that_of_scikit_learn(case, open_page):
    churn = case("churn")
    page = open_page(churn.path)
    page.get_by_role("tab", name="Performance", exact=True).click()
    probability = churn.model.predict_proba(churn.rows)[:, 1]
    truth = np.asarray(churn.labels) == "stays"
    scores = scores_of(page)
    assert scores["Accuracy"] == f"{np.mean((probability > 0.5) == truth):.1%}"
    assert float(scores["Log loss"]) == pytest.approx(log_loss(truth, probability), rel=5e-3)
    assert float(scores["Area under ROC, stays"]) == pytest.approx(roc_auc_score(truth, probability), rel=5e-3)
    assert float(scores["Average precision, stays"]) == pytest.approx(
        average_precision_score(truth, probability), rel=5e-3
    )
    assert float(scores["Brier score, stays"]) == pytest.approx(brier_score_loss(truth, probability), rel=5e-3)
    page.get_by_label("Threshold on the probability of stays").fill("0.3")
    counts = page.locator(".axd-count b").all_inner_texts()
    given = probability >= 0.3
    assert list(map(int, counts)) == [
        np.sum(truth & given),
        np.sum(truth & ~given),
        np.sum(~truth & given),
        np.sum(~truth & ~given),
    ]


def test_a_cohort_is_laid_over_the_views_with_its_own_metrics(case, open_page):
    churn = case("churn")
    page = open_page(churn.path)
    page.get_by_role("tab", name="Cohorts", exact=True).click()
    page.get_by_role("button", name="Add a filter").click()
    page.get_by_label("Field").select_option(label="age")
    page.get_by_label("From", exact=True).fill("30")
    page.get_by_label("To", exact=True).fill("60")
    page.get_by_role("button", name="Add a filter").click()
    page.get_by_label("Field").nth(1).select_option(label="plan")
    page.get_by_label("S", exact=True).check()
    inside = (churn.rows["age"].between(30, 60) & (churn.rows["plan"] == "S")).to_numpy()
    assert f"{inside.sum()} rows of 800 pass." in page.locator(".axd-builder").inner_text()
    page.get_by_label("Name", exact=True).fill("middle")
    page.get_by_role("button", name="Save the cohort").click()
    assert page.get_by_label("Cohort", exact=True).evaluate("list => list.selectedOptions[0].label") == "middle"
    probability = churn.model.predict_proba(churn.rows)[:, 1]
    assert f"{probability[inside].mean():.1%}" in page.locator(".axd-view tbody tr").nth(1).inner_text()

    page.get_by_role("tab", name="Performance", exact=True).click()
    truth = np.asarray(churn.labels) == "stays"
    cards = scores_of(page)
    assert f"middle: {inside.sum()}" in cards["Rows with a label"]
    found = float(cards["Area under ROC, stays"].split("middle: ")[1])
    assert found == pytest.approx(roc_auc_score(truth[inside], probability[inside]), rel=5e-3)

    show(page, "Global importance")
    values = np.abs(class_values(churn.explanation, "stays"))[inside].mean(axis=0)
    np.testing.assert_allclose(
        table_of(page).set_index("Feature")["middle"][list(churn.rows.columns)], values, rtol=1e-5
    )

    page.get_by_role("tab", name="Cohorts", exact=True).click()
    page.get_by_role("button", name="Remove middle").click()
    assert page.get_by_label("Cohort", exact=True).count() == 0


def test_wrong_predictions_are_one_click_away(case, open_page):
    four = case("four_classes")
    page = open_page(four.path)
    page.get_by_role("tab", name="Cohorts", exact=True).click()
    page.get_by_role("button", name="Wrong predictions").click()
    wrong = int(np.sum(four.model.predict(four.rows) != four.labels))
    assert f"{wrong} ({wrong / 500:.1%})" in page.locator(".axd-view tbody tr").nth(1).inner_text()


def test_residuals_are_truth_less_prediction(case, open_page):
    regression = case("regression")
    page = open_page(regression.path)
    show(page, "Performance")
    predicted = regression.model.predict(regression.rows)
    table = table_of(page, chart=1)
    assert table.columns[2].startswith("residual")
    np.testing.assert_allclose(table.iloc[:, 2], regression.labels - predicted, rtol=1e-9, atol=1e-9)
    error = float(scores_of(page)["Mean absolute error"])
    assert error == pytest.approx(np.abs(regression.labels - predicted).mean(), rel=5e-3)


def test_members_of_a_single_ensemble_have_a_view_of_their_own(tmp_path, open_page):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    vote = VotingRegressor([("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]).fit(X, y)
    explained = explain_model(vote, X[:50], X[50:80], members=True)
    page = open_page(ExplanationDashboard(explained, vote, X[50:80]).save(tmp_path / "vote.html"))
    show(page, "Members")
    assert page.get_by_role("tab", name="Search", exact=True).count() == 0
    table = table_of(page).set_index("Member")["Mean absolute contribution"]
    assert table.to_dict() == pytest.approx(explained.members.get_member_importance_dict())


# ------------------------------------------------------------------ searches and examples


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """A page of a small search, and its runs."""
    folder = tmp_path_factory.mktemp("search")
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    scorer = ExplainingScorer("r2", X, history=folder / "history")
    found = GridSearchCV(Ridge(), {"alpha": [0.01, 1, 50]}, scoring=scorer, cv=2).fit(X, y)
    runs = scorer.explain(found)
    return ExplanationDashboard(found, true_labels=y).save(folder / "page.html"), runs


def test_runs_lie_at_their_loss_and_share_of_importance(search, open_page):
    path, runs = search
    page = open_page(path)
    show(page, "Search")
    page.get_by_label("Horizontal axis").select_option(label="share of bmi")
    table = table_of(page).set_index("Run")
    for run in (run for run in runs if run.loss is not None):
        sizes = pd.Series(run.explanation.global_importance_values, run.explanation.feature_labels)
        assert table.loc[run.number, "Loss"] == pytest.approx(run.loss)
        assert table.loc[run.number].iloc[1] == pytest.approx(sizes["bmi"] / sizes.sum())


def test_the_views_are_those_of_the_run_that_is_chosen(search, open_page):
    path, runs = search
    page = open_page(path)
    show(page, "Search")
    page.get_by_role("button", name="Run 1, Ridge").click()
    chosen = next(run for run in runs if run.number == 1)
    show(page, "Data exploration")
    page.get_by_label("Vertical axis").select_option(label="prediction")
    np.testing.assert_allclose(table_of(page)["prediction"], chosen.explanation.predictions[:, 0], rtol=1e-9)
    show(page, "Performance")
    assert "Performance is that of Ridge (refit)." in page.locator(".axd-view").inner_text()


def test_examples_of_texts_are_shown_and_run_nothing(tmp_path, open_page):
    script = "<script>document.title = 'run'</script>"
    texts = ["a great film", "a dull film", f"great {script}", "dull <img src=x onerror=alert(1)>"]
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, [1, 0, 1, 0])
    explanation = TextExplainer(model).explain_local(texts)
    page = open_page(ExplanationDashboard(explanation).save(tmp_path / "page.html"))
    assert page.get_by_role("tablist").first.get_by_role("tab").all_inner_texts() == ["Examples", "Global importance"]
    assert f"great {script}" in page.locator(".axd-examples").evaluate("host => host.shadowRoot.textContent")
    assert page.locator(".axd-examples img").count() == 0
    assert page.title() != "run"
    assert "11 words" in page.locator(".axd-head").inner_text()


def test_a_column_of_texts_is_not_the_first_axis(tmp_path, open_page):
    table = pd.DataFrame(
        {"age": np.arange(60.0), "review": [f"{'good' if j % 2 else 'bad'} film {j}" for j in range(60)]}
    )
    columns = ColumnTransformer([("words", CountVectorizer(), "review"), ("age", "passthrough", ["age"])])
    model = make_pipeline(columns, Ridge()).fit(table, 100.0 * table.review.str.startswith("good") + 0.1 * table.age)
    explained = explain_model(model, table, table, feature_space="raw")
    assert explained.overall_imp[0] == "review"
    page = open_page(ExplanationDashboard(explained, model, table).save(tmp_path / "page.html"))
    for view, control in (
        ("Data exploration", "Horizontal axis"), ("Explanation exploration", "Feature, most important first"),
    ):  # fmt: skip
        show(page, view)
        chosen = page.get_by_label(control).locator("option:checked").inner_text()
        assert chosen == "age"


def test_a_page_of_images_has_the_views_that_images_have(tmp_path, open_page):
    images = np.random.default_rng(0).random((6, 16, 16, 1))
    explanation = ImageExplainer(lambda rows: rows[:, :8].mean(axis=(1, 2, 3))).explain_local(images)
    page = open_page(ExplanationDashboard(explanation).save(tmp_path / "page.html"))
    tabs = page.get_by_role("tablist").first.get_by_role("tab")
    assert "Explanation exploration" not in tabs.all_inner_texts()
    said = page.locator(".axd-examples").evaluate("host => host.shadowRoot.textContent")
    assert said.index("raises the output") < said.index("image")
    select(page, 3)
    page.get_by_role("tab", name="Local importance").wait_for()
    assert page.get_by_role("tablist").last.get_by_role("tab").all_inner_texts() == ["Local importance"]
    assert "6 images · 64 positions" in page.locator(".axd-head").inner_text()
    assert page.get_by_role("img", name="positions for image 3.").count() == 1
    assert "All 6 images shown." in page.locator(".axd-foot").inner_text()
    nouns = page.evaluate("() => JSON.parse(document.getElementById('dashboard-data').textContent).nouns")
    left_out = "base value of the image, less the mean of all"
    assert nouns == {"example": "image", "feature": "position", "left_out": left_out}
