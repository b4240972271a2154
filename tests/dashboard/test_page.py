"""The page as a file: its modules, its content security policy, and what is escaped."""

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser

import pandas as pd
import pytest

from automl_explain import ExplanationDashboard
from automl_explain.dashboard._page import bokeh_script, join_modules, joined_script, json_for_html, script_modules
from automl_explain.explainers.formatting._names import one_line
from tests.explanation_cases import attributed

SCRIPTS = script_modules()
EVIL = "</script><script>alert(1)</script> <!-- \"q' \x1b[31m \u202eltr & <b>"


class Scripts(HTMLParser):
    """The elements of a page: attributes, and the texts of scripts."""

    def __init__(self, source):
        super().__init__()
        self.scripts, self.attributes, self.tags, self._script = {}, [], Counter(), None
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag == "script":
            self._script = dict(attrs).get("id") or dict(attrs).get("type")
            self.scripts[self._script] = ""

    def handle_endtag(self, tag):
        self._script = None

    def handle_data(self, data):
        if self._script is not None:
            self.scripts[self._script] += data


def dashboard(names, classes=None, **options):
    table = pd.DataFrame({name: [1.0, 2.0, 3.0] for name in names[:-1]} | {names[-1]: ["a", EVIL, "b"]})
    values = [[0.1 * j for j in range(len(names))]] * 3
    values = values if classes is None else [values] * len(classes)
    return ExplanationDashboard(attributed(values, classes, features=tuple(names), data=table), **options)


def test_modules_are_joined_in_order_without_imports_and_exports():
    joined = join_modules(
        {
            "a.js": 'import { b } from "./in/b.js";\nimport {\n  c,\n} from "./c.js";\nexport const a = b + c;\n',
            "in/b.js": 'import { c } from "../c.js";\nimport { d } from "./d.js";\nexport function b() {}\n',
            "in/d.js": "export const d = 1;\n",
            "c.js": "export async function c() {}\n",
            "d.js": "export const unlike = 1;\n",
            "other.js": "export const other = 1;\n",
        },
        "a.js",
    )
    assert joined == (
        "// c.js\nasync function c() {}\n// in/d.js\nconst d = 1;\n"
        "// in/b.js\nfunction b() {}\n// a.js\nconst a = b + c;\n"
    )


@pytest.mark.parametrize(
    ("modules", "why"),
    [
        ({"a.js": 'import { b } from "./b.js";\n'}, "do not exist: a.js -> b.js"),
        ({"a.js": 'import { b } from "./in/b.js";\n', "b.js": ""}, "do not exist: a.js -> in/b.js"),
        ({"a.js": 'import { b } from "../b.js";\n', "b.js": ""}, "do not exist: a.js -> ../b.js"),
        ({"a.js": 'import { b } from "b.js";\n', "b.js": ""}, "named imports and exports"),
        ({"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'}, "import each other"),
        ({"a.js": "export default 1;\n"}, "named imports and exports"),
        ({"a.js": "export { b };\n"}, "named imports and exports"),
        ({"a.js": 'import b from "./b.js";\n'}, "named imports and exports"),
        ({"a.js": 'const a = "</script>";\n'}, "ends or hides a script element"),
    ],
)
def test_modules_of_another_form_are_refused(modules, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        join_modules(modules, "a.js")


def test_no_two_modules_define_the_same_name():
    names = Counter(
        name
        for text in SCRIPTS.values()
        for name in set(
            re.findall(r"^(?:export\s+)?(?:async\s+)?(?:const|let|function\*?|class)\s+(\w+)", text, re.MULTILINE)
        )
    )
    assert [name for name, times in names.items() if times > 1] == []


def test_every_module_is_part_of_the_page_or_of_the_widget():
    joined = joined_script() + joined_script("widget.js")
    assert [name for name in SCRIPTS if f"// {name}\n" not in joined] == []


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_modules_neither_evaluate_text_nor_parse_html(name):
    forbidden = r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\bimport\(|https?://(?!www\.w3\.org)"
    assert re.findall(forbidden, SCRIPTS[name]) == []


def test_the_policy_allows_the_scripts_of_the_page_by_hash_and_nothing_else(tmp_path):
    page = Scripts(dashboard(["x", "y"]).save(tmp_path / "page.html").read_text("utf-8"))
    policy = next(
        value for tag, name, value in page.attributes if tag == "meta" and name == "content" and "script-src" in value
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    def hash_of(script):
        return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"

    assert rules["script-src"] == f"{hash_of(bokeh_script())} {hash_of(page.scripts['module'])}"
    assert rules["default-src"] == rules["connect-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert set(page.scripts) == {"dashboard-data", "dashboard-arrays", "dashboard-bokeh", "module"}
    assert not [pair for pair in page.attributes if pair[1].startswith("on") or pair[1] in ("src", "href")]


def test_names_titles_and_levels_are_escaped(tmp_path):
    evil = dashboard(["x", EVIL], ("no", EVIL), title=EVIL)
    page = Scripts(evil.save(tmp_path / "page.html").read_text("utf-8"))
    assert page.tags["script"] == 4
    assert page.tags["b"] == 0
    payload = json.loads(page.scripts["dashboard-data"])
    shown = one_line(EVIL)
    assert payload["title"] == payload["features"][1]["name"] == payload["classes"][1] == shown
    assert shown in payload["features"][1]["levels"]


def test_a_frame_holds_the_page_as_an_attribute():
    page = Scripts(dashboard(["x", EVIL], title='a "title"')._repr_html_())
    assert page.tags == {"iframe": 1}
    attributes = {name: value for _, name, value in page.attributes}
    assert attributes["srcdoc"].startswith("<!DOCTYPE html>")
    assert attributes["sandbox"] == "allow-scripts allow-downloads"


def test_json_has_null_for_numbers_that_it_lacks():
    text = json_for_html({"a": [float("nan"), {"b": (float("inf"), 1.5)}], "c": "<&>"})
    assert json.loads(text) == {"a": [None, {"b": [None, 1.5]}], "c": "<&>"}
    assert not set("<&>") & set(text)
