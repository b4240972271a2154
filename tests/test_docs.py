"""The snippets of the longer documents run as they are printed."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

DOCS = Path(__file__).parents[1] / "docs"


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
