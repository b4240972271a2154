"""What the README and the pages it leads to say is so: commands and snippets run, tables are those of the code."""

import re
import shlex
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from automl_explain import RunHistory, describe_rules
from automl_explain.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXACT = (ROOT / "docs" / "concepts" / "exactness.md").read_text(encoding="utf-8")
SIX_VALUES = (ROOT / "docs" / "guide" / "fitted_models.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
SHORTER = {"time_budget=60)": "time_budget=60, max_iter=4, estimator_list=['lgbm'], verbose=0)"}
"""What a test changes in a snippet, so that it takes seconds."""


def lines_of(language):
    return [line for found, text in BLOCKS if found == language for line in text.splitlines() if line.strip()]


def test_every_block_of_code_says_its_language_and_is_tested_here():
    assert README.count("```") == 2 * len(BLOCKS)
    assert {language for language, _ in BLOCKS} == {"bash", "python"}


def test_the_two_commands_come_first_and_ci_runs_them():
    set_up, develop = lines_of("bash")[:2]
    assert set_up == "pip install . && automl-explain demo"
    assert develop == "pip install -c constraints.txt -e '.[test]' && pytest"
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readers = re.findall(r"^(\w+)=\$\(grep -m 1 '(.*)' README\.md\)$", script, flags=re.MULTILINE)
    found = {name: next(line for line in README.splitlines() if re.match(pattern, line)) for name, pattern in readers}
    assert found == {"demo_line": set_up, "test_line": develop}
    used = (
        'eval "${test_line%% && *}', 'eval "${test_line#* && }" |', 'eval "${test_line#* && } -m slow" |',
        "${demo_line%% && *}", 'eval "${demo_line#* && }',
    )  # fmt: skip
    assert [part for part in used if part not in script] == []
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert "set -euo pipefail" in script
    assert "set +e" not in script


def test_contributing_begins_with_the_command_of_the_readme():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    install, test = lines_of("bash")[1].split(" && ")
    assert install in text
    assert re.search(rf"^{test}\b", text, flags=re.MULTILINE)


def test_the_python_snippets_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "".join(
        f"# snippet {number}\n{text}\n" for number, (language, text) in enumerate(BLOCKS) if language == "python"
    )
    for words, fewer in SHORTER.items():
        assert code.count(words) == 1
        code = code.replace(words, fewer)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    plt.close("all")
    assert capsys.readouterr().out
    assert {run.status for run in names["automl"].runs} == {"explained"}
    assert names["final"].run_id == names["automl"].final_run.id
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    explained, values = names["explained"], names["shap_values"]
    assert (len(values), values[0].shape) == (2, (143, 30))
    sums = [explained.expected_values[c] + values[c].sum(axis=1) for c in range(2)]
    np.testing.assert_allclose(np.transpose(sums), names["forest"].predict_proba(names["X_valid"]), atol=1e-9)


def test_it_is_read_in_three_minutes():
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"\w+", re.sub(r"\]\([^)]*\)", "", prose))) <= 3 * 250


def test_the_commands_run(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, 80)
    people = pd.DataFrame({"age": age, "town": rng.choice(list("abc"), 80), "bought": np.where(age > 45, "yes", "no")})
    people.to_csv(tmp_path / "people.csv", index=False)
    monkeypatch.chdir(tmp_path)
    commands = [line for line in lines_of("bash") if line.startswith("automl-explain ")]
    assert [command.split()[1] for command in commands] == ["run", "runs", "runs", "report"]
    for command in commands:
        fewer = ["--estimators", "lgbm", "--max-iter", "4"] if " run " in command else []
        assert main([*shlex.split(command)[1:], *fewer]) == 0, capsys.readouterr().err
        assert capsys.readouterr().out
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "report.html").is_file()
    assert main(["show", RunHistory().runs()[0].id[:12]]) in (0, 2)
    capsys.readouterr()


def test_the_rule_table_is_the_code_s():
    rows = re.findall(
        r"^\| (\w+) \| .* \| (\w+) \| .* \|$", EXACT.partition("| structure | models |")[2], flags=re.MULTILINE
    )
    assert [structure for structure, _ in rows] == [rule["structure"] for rule in describe_rules()]


@pytest.mark.parametrize(("task", "column"), [("regression", 2), ("classification", 3)])
def test_the_table_of_the_six_values_is_the_code_s(task, column):
    from sklearn.linear_model import LinearRegression, LogisticRegression

    from automl_explain import explain_model

    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5))
    model = LinearRegression() if task == "regression" else LogisticRegression()
    model.fit(X, X[:, 0] if task == "regression" else rng.integers(0, 3, 40))
    explained = explain_model(model, X, X[:7])
    table = re.findall(r"^\| (\d) \| `(\w+)` \| (.*) \| (.*) \|$", SIX_VALUES, flags=re.MULTILINE)
    assert [int(row[0]) for row in table] == [1, 2, 3, 4, 5, 6]
    sizes = {"n": 7, "f": 5, "C": 3, "1": 1}
    for position, row in enumerate(table):
        words, value = row[column], tuple(explained)[position]
        assert getattr(explained, row[1]) is value or np.array_equal(getattr(explained, row[1]), value)
        if words == "None":
            assert value is None
            continue
        shape = re.search(r"\(([^)]*)\)", words if "(" in words else row[2])[1]
        expected = tuple(sizes[letter.strip()] for letter in shape.split(",") if letter.strip())
        assert np.shape(value[0] if words.startswith("list of C") else value) == expected
        assert not words.startswith("list of C") or len(value) == 3


def test_links_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            made = "auto_gallery/" in target or "auto_pictures/" in target  # with the site
            assert made or target.startswith("https://") or (page.parent / target).exists(), f"{page}: {target}"


def test_the_files_and_names_that_the_documents_speak_of_exist():
    names = {
        path.name
        for folder in ("explainers", "integrations", "automl_explain", "tests", "examples", "docs", ".ci")
        for path in (ROOT / folder).rglob("*")
    }
    names |= {path.name for path in ROOT.iterdir()}
    for document in ("ARCHITECTURE.md", "CONTRIBUTING.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for path in re.findall(r"`([\w./]+\.(?:py|md|toml|txt))`", text):
            assert Path(path).name in names, f"{document} speaks of {path}"
            assert "/" not in path or (ROOT / path).exists(), f"{document} speaks of {path}"
