"""Pictures of reports and of each view of the dashboard, taken in a browser while the site is built.

``python docs/pictures.py`` also renews the two that the repository keeps, which are shown where nothing is built. If there is
no browser, a picture says so.
"""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor, VotingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from automl_explain import (
    AutoMLConfig,
    Experiment,
    ExplanationDashboard,
    ImageExplainer,
    TextExplainer,
    explain_model,
    write_report,
)

DOCS = Path(__file__).parent
FOLDER = DOCS / "auto_pictures"
KEPT = {"report_of_a_search": DOCS / "_static" / "report.png", "what_if": DOCS / "guide" / "dashboard.png"}
"""Pictures that the repository keeps."""
SIZE = {"width": 1360, "height": 900}


@dataclass(frozen=True)
class Picture:
    """A page, the tab that is open in it, and what is selected, edited or clicked before."""

    page: str
    tab: str | None = None
    local_tab: str | None = None
    rows: tuple[int, ...] = ()
    edit: tuple[str, str] | None = None
    click: str | None = None
    part: str | None = None
    """The element that is drawn. Default: what fits the window."""


PICTURES = {
    "report_of_a_search": Picture("search_report"),
    "report_of_a_model": Picture("model_report"),
    "data": Picture("customers", "Data exploration"),
    "importance": Picture("customers", "Global importance"),
    "explanation": Picture("customers", "Explanation exploration"),
    "summary": Picture("customers", "Summary"),
    "performance": Picture("customers", "Performance"),
    "residuals": Picture("rents", "Performance"),
    "cohorts": Picture("customers", "Cohorts", click="Wrong predictions"),
    "members": Picture("rents", "Members"),
    "search": Picture("search", "Search"),
    "local_importance": Picture("customers", "Summary", "Local importance", (3, 40)),
    "what_if": Picture("customers", "Data exploration", "What-if", (3,), ("support_calls", "5")),
    "ice": Picture("customers", "Explanation exploration", "ICE", (3, 40)),
    "texts": Picture("texts"),
    "images": Picture("images"),
}


def customers(folder):
    """Write a report and a dashboard of a classification."""
    rng = np.random.default_rng(0)
    n = 1600
    table = pd.DataFrame(
        {
            "months": rng.integers(1, 72, n),
            "support_calls": rng.poisson(1.5, n),
            "plan": pd.Categorical(rng.choice(["basic", "family", "business"], n, p=[0.5, 0.3, 0.2])),
            "monthly_fee": rng.normal(40, 12, n).round(2),
        }
    )
    odds = 0.7 * table.support_calls - 0.05 * table.months + 0.8 * (table["plan"] == "basic") + rng.normal(0, 0.5, n)
    churned = np.where(odds > 0.2, "leaves", "stays")
    model = LGBMClassifier(n_estimators=60, num_leaves=15, verbose=-1).fit(table[:1000], churned[:1000])
    rows, labels = table[1000:].reset_index(drop=True), churned[1000:]
    explained = explain_model(model, table[:1000], rows, y_test=labels)
    write_report(folder / "model_report.html", explained, title="Customers who leave")
    page = ExplanationDashboard(explained, model, rows, true_labels=labels, title="Customers who leave")
    page.save(folder / "customers.html")


def rents(folder):
    """Write a dashboard of a regression by a vote, with its members."""
    rng = np.random.default_rng(0)
    flats = pd.DataFrame({"area": rng.normal(70, 20, 800).clip(20, 160).round(), "floor": rng.integers(0, 8, 800)})
    flats["built"] = rng.integers(1900, 2020, 800)
    rent = 300 + 11 * flats["area"] + 12 * flats["floor"] + (flats["built"] > 1990) * 150 + rng.normal(0, 60, 800)
    members = [
        ("boosting", LGBMRegressor(n_estimators=60, verbose=-1)),
        ("forest", RandomForestRegressor(50, random_state=0)),
    ]
    vote = VotingRegressor(members).fit(flats[:500], rent[:500])
    explained = explain_model(vote, flats[:500], flats[500:], members=True)
    page = ExplanationDashboard(explained, vote, flats[500:], true_labels=rent[500:], title="Rents, by a vote")
    page.save(folder / "rents.html")


def search(folder):
    """Write a report and a dashboard of a search."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    y = y.map({0: "malignant", 1: "benign"})
    config = AutoMLConfig(
        X=X[:400], y=y[:400], X_valid=X[400:], y_valid=y[400:], engine="optuna", estimators=["lgbm", "rf"], max_iter=12,
        history=folder / "history", explainability_options={"keep_labels": True},
    )  # fmt: skip
    found = Experiment("tumours").submit(config)
    ExplanationDashboard(found.final_run, title="A search for a model of tumours").save(folder / "search.html")
    write_report(folder / "search_report.html", found.runs, title="A search for a model of tumours")


def texts(folder):
    """Write a dashboard of two reviews."""
    reviews = [
        "a wonderful film with a clever plot", "dull and far too long", "great acting, great music",
        "the plot makes no sense", "clever, funny, moving", "a dull story and poor acting", "I laughed and cried",
        "poor sound, no story",
    ]  # fmt: skip
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression(C=20)).fit(reviews, ["good", "bad"] * 4)
    explained = TextExplainer(pipeline).explain_local(
        ["a clever story with great acting, but too long and a dull end", "no sense, poor acting, great music"]
    )
    ExplanationDashboard(explained, title="Reviews").save(folder / "texts.html")


def images(folder):
    """Write a dashboard of three digits."""
    digits = load_digits()
    forest = RandomForestClassifier(100, random_state=0).fit(digits.data[:1500], digits.target[:1500])
    explained = ImageExplainer(forest, n_segments=16, absent="mean", top_classes=3).explain_local(
        digits.images[1510:1513]
    )
    ExplanationDashboard(explained, title="Digits").save(folder / "images.html")


def chromium_path():
    """The browser, or None."""
    names = (os.environ.get("AUTOML_EXPLAIN_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def take(browser, pages, picture, path):
    """Open a page, do what the picture asks for, and draw it."""
    context = browser.new_context(viewport=SIZE, color_scheme="light")
    page = context.new_page()
    page.goto((pages / f"{picture.page}.html").as_uri())
    for row in picture.rows:
        page.get_by_label("Name of a row to select").fill(str(row))
        page.get_by_role("button", name="Add", exact=True).click()
    for tab in filter(None, (picture.tab, picture.local_tab)):
        page.get_by_role("tab", name=tab, exact=True).click()
    if picture.click:
        page.get_by_role("button", name=picture.click).click()
    if picture.edit:
        page.locator(".axd-fields").get_by_label(picture.edit[0], exact=True).fill(picture.edit[1])
    page.wait_for_timeout(1500)  # for charts, which are drawn after the click that asks for them
    if picture.part:
        page.locator(picture.part).evaluate("part => part.scrollIntoView()")
        page.wait_for_timeout(300)
    page.screenshot(path=path)
    context.close()


def say_that_a_browser_is_needed(path):
    """Write a picture of one sentence."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(8, 2))
    figure.text(0.5, 0.5, "This picture is taken if there is a browser when the site is built.", ha="center")
    figure.savefig(path)
    plt.close(figure)


def fingerprint():
    """What the pictures depend on: this file, and what draws the pages."""
    package = DOCS.parent / "automl_explain"
    sources = [
        path for folder in ("dashboard", "report", "display") for path in sorted((package / folder).rglob("*.*"))
    ]
    sources = [path for path in sources if path.is_file() and path.suffix != ".pyc"]
    whole = b"".join(path.read_bytes() for path in [Path(__file__), *sources]) + str(chromium_path()).encode()
    return hashlib.sha256(whole).hexdigest()


def draw(folder=FOLDER):
    """Draw all pictures into a folder, unless they are there and nothing that they show has changed."""
    drawn = folder / "drawn.txt"
    if drawn.exists() and drawn.read_text(encoding="utf-8") == fingerprint():
        return
    folder.mkdir(exist_ok=True)
    if chromium_path() is None:
        for name in PICTURES:
            say_that_a_browser_is_needed(folder / f"{name}.png")
    else:
        from playwright.sync_api import sync_playwright

        with tempfile.TemporaryDirectory() as pages, sync_playwright() as playwright:
            for make in (customers, rents, search, texts, images):
                make(Path(pages))
            # Without a sandbox, since containers run as root.
            browser = playwright.chromium.launch(
                executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"]
            )
            for name, picture in PICTURES.items():
                take(browser, Path(pages), picture, folder / f"{name}.png")
            browser.close()
    drawn.write_text(fingerprint(), encoding="utf-8")


if __name__ == "__main__":
    (FOLDER / "drawn.txt").unlink(missing_ok=True)
    draw()
    for name, place in KEPT.items():
        shutil.copyfile(FOLDER / f"{name}.png", place)
