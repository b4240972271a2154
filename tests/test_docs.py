"""The pages of the site: snippets run as they are printed, and the reference and the first pages name everything."""

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


@pytest.mark.parametrize("folder", ["guide", "how_to", "concepts", "coming_from", "notebooks", "performance"])
def test_the_first_page_of_a_folder_lists_its_pages(folder):
    pages = {page.stem for page in (DOCS / folder).glob("*.md")} - {"index"}
    first = (DOCS / folder / "index.md").read_text(encoding="utf-8")
    assert set(re.search(r"```{toctree}\n:hidden:\n\n(.*?)```", first, re.DOTALL)[1].split()) == pages
    assert pages <= set(re.findall(r"\]\((\w+)\.md\)", first))


@pytest.mark.slow  # a network is trained
def test_the_snippets_on_images_run_one_after_the_other():
    text = (DOCS / "guide" / "images.md").read_text(encoding="utf-8")
    code = "".join(re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))
    names: dict[str, object] = {}
    try:
        exec(compile(code, "docs/guide/images.md", "exec"), names)
    finally:
        plt.close("all")
    explanation = names["explanation"]
    assert explanation.labels == ["other", "face"]
    assert explanation.additivity_error < 1e-6
    assert names["overall"].is_aligned
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (DOCS / "guide" / picture).exists()
