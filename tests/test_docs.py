"""The pages of the site: snippets run as they are printed, and the reference and the first pages name everything."""

import pickle
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import automl_explain

DOCS = Path(__file__).parents[1] / "docs"


def test_the_reference_has_every_public_name_once():
    text = (DOCS / "reference" / "index.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^   ([A-Za-z]\w+)$", text, flags=re.MULTILINE)
    assert sorted(listed) == sorted(set(automl_explain.__all__) - {"__version__"})


def test_the_gallery_has_every_plot():
    code = "".join(script.read_text(encoding="utf-8") for script in (DOCS / "gallery").glob("plot_*.py"))
    plots = {name for name in automl_explain.__all__ if name.startswith("plot_")}
    assert plots == set(re.findall(r"^(?:\w+ = )?(plot_\w+)\(", code, flags=re.MULTILINE))


def test_the_gallery_has_a_picture_of_every_view_of_the_dashboard():
    static = DOCS.parent / "automl_explain" / "dashboard" / "static"
    scripts = [
        script.read_text(encoding="utf-8") for folder in ("views", "local") for script in (static / folder).glob("*.js")
    ]
    views = [title for text in scripts for title in re.findall(r'_VIEW = \{\s*id: "[\w-]+",\s*title: "([^"]+)"', text)]
    page = (DOCS / "guide" / "dashboard_views.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (.+)\n([^#]*)", page, flags=re.MULTILINE))
    assert sorted(sections) == sorted(views)
    assert [head for head, text in sections.items() if "](../auto_pictures/" not in text] == []
    drawn = set(
        re.findall(r'^    "(\w+)": Picture\(', (DOCS / "pictures.py").read_text(encoding="utf-8"), flags=re.MULTILINE)
    )
    header = (DOCS / "gallery" / "GALLERY_HEADER.rst").read_text(encoding="utf-8")
    for text in (page, header):
        assert set(re.findall(r"auto_pictures/(\w+)\.png", text)) == drawn


@pytest.mark.parametrize("folder", ["guide", "how_to", "concepts", "coming_from", "notebooks", "performance"])
def test_the_first_page_of_a_folder_lists_its_pages(folder):
    pages = {page.stem for page in (DOCS / folder).glob("*.md")} - {"index"}
    first = (DOCS / folder / "index.md").read_text(encoding="utf-8")
    assert set(re.search(r"```{toctree}\n:hidden:\n\n(.*?)```", first, re.DOTALL)[1].split()) == pages
    assert pages <= set(re.findall(r"\]\((\w+)\.md\)", first))


@pytest.mark.parametrize("page", sorted(DOCS.glob("**/*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_python_on_a_page_is_executed_when_the_site_is_built(page):
    text = page.read_text(encoding="utf-8")
    assert ("{code-cell} ipython3" in text) == ("file_format: mystnb" in text)
    for snippet in re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        compile(snippet, str(page), "exec")  # what cannot be executed there, such as a class of another package


WIDEST = 84
"""Characters of code that fit beside both columns of links, in a window of 1280 pixels."""


@pytest.mark.parametrize("page", sorted(DOCS.glob("**/*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_code_on_a_page_is_seen_without_scrolling(page):
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:python|bash|{code-cell}).*\n((?:.*\n)*?)```$", text, flags=re.MULTILINE)
    included = re.findall(r"^```{literalinclude} (\S+)$", text, flags=re.MULTILINE)
    blocks += [(page.parent / path).read_text(encoding="utf-8") for path in included]
    shown = [block for block in blocks if not block.startswith(":tags: [remove-input]")]
    assert [line for block in shown for line in block.splitlines() if len(line) > WIDEST] == []


@pytest.mark.slow  # a network is trained
def test_the_page_on_images_trains_a_network_and_explains_it():
    text = (DOCS / "guide" / "images.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    try:
        for cell in re.findall(r"^```{code-cell} ipython3\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
            exec(compile(cell, "docs/guide/images.md", "exec"), names)
    finally:
        plt.close("all")
    explanation = names["explanation"]
    assert explanation.labels == ["other", "face"]
    assert explanation.additivity_error < 1e-6
    assert names["overall"].is_aligned


def test_every_error_names_its_section_on_the_page_of_errors():
    root, text = DOCS.parent, (DOCS / "how_to" / "errors.md").read_text(encoding="utf-8")
    classes = [getattr(automl_explain, name) for name in automl_explain.__all__ if name.endswith(("Error", "Warning"))]
    assert [f"({one.__name__.lower()})=\n## {one.__name__}\n" in text for one in classes] == [True] * len(classes)
    for one in classes:
        if issubclass(one, automl_explain.AutoMLExplainError):
            (note,) = pickle.loads(pickle.dumps(one("why"))).__notes__
            page, _, section = note.removeprefix("Documentation: ").partition("#")
            assert (root / page).exists()
            assert section == one.__name__.lower()
