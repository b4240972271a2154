"""The built site in a browser, as on a phone: it needs nothing from another host, no page scrolls sideways, all can be read.

``AUTOML_EXPLAIN_SITE`` names the folder that ``sphinx-build docs site`` has written.
"""

import os
from pathlib import Path

import pytest

from tests.dashboard.conftest import browser  # noqa: F401  (a fixture)

SITE = os.environ.get("AUTOML_EXPLAIN_SITE")
NARROW = {"width": 390, "height": 844}
SHOWN = {"guide", "notebooks", "auto_gallery"}
"""Folders of the pages with outputs and pictures of their own; all others look alike."""

CUT = """[...document.querySelectorAll('.bd-article-container *')].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width && box.right > innerWidth + 1 && !e.closest('pre, table, .formula, .sd-row, svg');
}).map(e => e.innerText.slice(0, 60))"""
"""What lies beyond the edge of the window, other than what scrolls in its own box."""

pytestmark = pytest.mark.skipif(SITE is None, reason="needs a built site: AUTOML_EXPLAIN_SITE names its folder")


def html_pages():
    """The pages of the site, without the sources of modules."""
    folder = Path(SITE).resolve()
    pages = [page for page in sorted(folder.rglob("*.html")) if not {"_modules", "_static"} & set(page.parts)]
    assert len(pages) > 100, f"{folder} is not the whole site"
    return pages


@pytest.fixture(scope="module")
def seen(browser):  # noqa: F811
    """What each page asked for, what failed in it, how much wider than a phone it is, and how it shows formulas."""
    found = {}
    context = browser.new_context(viewport=NARROW)
    page = context.new_page()
    asked, failed = [], []

    def answer(route):
        url = route.request.url
        if url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            asked.append(url)
            route.abort()

    page.route("**/*", answer)
    page.on("pageerror", lambda error: failed.append(str(error)))
    for path in html_pages():
        asked.clear()
        failed.clear()
        page.goto(path.as_uri())
        found[str(path.relative_to(Path(SITE).resolve()))] = {
            "asked": list(asked),
            "failed": list(failed),
            "too_wide": page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"),
            "cut": page.evaluate(CUT),
            "formulas": page.evaluate("document.querySelectorAll('math').length"),
            "broken": page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"),
            "empty": page.evaluate(
                "[...document.querySelectorAll('main .cell_output .output')]"
                ".filter(o => !o.innerText.trim() && !o.querySelector('img, svg, iframe')).length"
            ),
        }
    context.close()
    return found


def test_no_page_asks_another_host_for_anything(seen):
    assert {page: facts["asked"] for page, facts in seen.items() if facts["asked"]} == {}


def test_formulas_are_shown_without_a_script(seen):
    assert seen["concepts/shapley_values.html"]["formulas"] >= 10


def test_no_page_scrolls_sideways_on_a_phone(seen):
    assert {page: facts["too_wide"] for page, facts in seen.items() if facts["too_wide"] > 0} == {}


def test_nothing_is_cut_off_on_a_phone(seen):
    assert {page: facts["cut"] for page, facts in seen.items() if facts["cut"]} == {}


def test_scripts_and_pictures_of_every_page_load(seen):
    assert {page: facts for page, facts in seen.items() if facts["failed"] or facts["broken"]} == {}


def test_no_cell_leaves_an_empty_output(seen):
    assert {page: facts["empty"] for page, facts in seen.items() if facts["empty"]} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(browser, scheme):  # noqa: F811
    axe = pytest.importorskip("axe_playwright_python")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    context = browser.new_context(color_scheme=scheme)
    page, found = context.new_page(), {}
    for path in html_pages():
        if not SHOWN & set(path.parts):
            continue
        page.goto(path.as_uri())
        page.evaluate(script)
        faults = page.evaluate("axe.run(document, { iframes: false, runOnly: ['color-contrast'] })")["violations"]
        if faults:
            found[path.name] = [node["html"] for fault in faults for node in fault["nodes"]]
    context.close()
    assert found == {}


QUESTIONS = {
    "raw columns pipeline": "guide/raw_columns.html",
    "how to explain raw columns of a pipeline": "guide/raw_columns.html",
    "two runs differ": "guide/comparing_runs.html",
    "why do two runs differ": "guide/comparing_runs.html",
    "margin": "concepts/output_spaces.html",
    "what does margin mean": "concepts/output_spaces.html",
    "service": "guide/scoring.html",
    "put it into a service": "guide/scoring.html",
    "time limit": "how_to/time_limit.html",
    "keep explaining within ten minutes": "how_to/time_limit.html",
    "sampled": "concepts/exactness.html",
    "what is sampled and how good is it": "concepts/exactness.html",
}
"""What a newcomer looks for, in words and in sentences, and the page that answers."""


@pytest.fixture(scope="module")
def newcomer(browser):  # noqa: F811
    """A page of a browser, for those who look around."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_the_first_page_links_to_the_answers(newcomer):
    newcomer.goto((Path(SITE).resolve() / "index.html").as_uri())
    links = newcomer.evaluate("[...document.querySelectorAll('main a')].map(a => a.getAttribute('href'))")
    assert set(QUESTIONS.values()) <= set(links)


@pytest.mark.parametrize(("words", "answer"), QUESTIONS.items())
def test_the_search_has_the_answer_among_its_first_pages(newcomer, words, answer):
    newcomer.goto((Path(SITE).resolve() / "search.html").as_uri() + f"?q={words.replace(' ', '+')}")
    newcomer.wait_for_function("document.querySelectorAll('#search-results ul.search li').length > 0")
    newcomer.wait_for_function("/found|finished/i.test(document.querySelector('#search-results').innerText)")
    first = newcomer.evaluate(
        "[...document.querySelectorAll('#search-results ul.search li > a')].map(a => a.getAttribute('href')).slice(0, 8)"
    )
    assert any(link.split("#")[0].split("?")[0] == answer for link in first), first
