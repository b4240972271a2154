"""Search engines: those of installed packages are found by their entry points, and must keep to the protocol."""

import json
import subprocess
import sys
import zipfile

import pytest
from sklearn.datasets import load_iris

from automl_explain import AutoMLConfig, Experiment, InvalidInputError, MissingExtraError, retrieve_model_explanation
from automl_explain.cli import main

X, Y = load_iris(return_X_y=True, as_frame=True)
GRID = """
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier
from automl_explain import FinishedSearch, InvalidInputError
from automl_explain.integrations.sklearn_search import ExplainingScorer

def check(config):
    if config.metric not in ("auto", "accuracy"):
        raise InvalidInputError(f"grid scores by accuracy alone. Got {config.metric!r}.")

def search(config, experiment=None):
    data = config.dataset
    facts = {"experiment": experiment}
    scorer = ExplainingScorer("accuracy", data.X_train, history=config.history, facts=facts)
    grid = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, scoring=scorer)
    grid.fit(data.X_train, data.y_train)
    return FinishedSearch(grid, scorer.explain(grid))

class NoSearch:
    def check(self, config):
        pass

class Another(NoSearch):
    def search(self, config, experiment=None):
        return "a model"

half, another = NoSearch(), Another()
"""
ENTRY_POINTS = """
[automl_explain.engines]
grid = grid_engine
half = grid_engine:half
another = grid_engine:another
class = grid_engine:Another
gone = grid_engine:nothing
lacking = lacking_engine
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A small package, installed by pip from a wheel."""
    wheel, info = tmp_path / "grid_engine-1.0-py3-none-any.whl", "grid_engine-1.0.dist-info"
    files = {
        "grid_engine.py": GRID,
        "lacking_engine.py": "import library_that_is_not_there",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: grid-engine\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": ENTRY_POINTS,
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    done = subprocess.run([*command, "--no-deps", "--target", str(tmp_path / "site"), str(wheel)],
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield tmp_path
    for name in ("grid_engine", "lacking_engine"):
        sys.modules.pop(name, None)


@pytest.mark.slow
def test_an_installed_package_adds_an_engine(installed, capsys):
    run = Experiment("iris").submit(AutoMLConfig(X=X, y=Y, engine="grid"))
    best_run, fitted_model = run.get_output()
    assert len(run.runs) == 4
    assert [one.id for one in Experiment("iris").runs()] == [one.id for one in run.runs]
    assert (fitted_model.predict(X) == Y).mean() > 0.9
    assert run.final_run.kind == "refit"
    assert retrieve_model_explanation(best_run).shap_values[0].shape == (120, 4)
    assert retrieve_model_explanation(run).run_id == run.final_run.id
    X.assign(kind=Y).to_csv(installed / "iris.csv", index=False)
    arguments = ["run", str(installed / "iris.csv"), "--target", "kind", "--engine", "grid", "--json"]
    assert main([*arguments, "--out", str(installed / "out")]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 4
    assert (installed / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"engine": "gird"}, InvalidInputError, "flaml, .*grid.* Got 'gird'. Did you mean 'grid'"),
        ({"engine": None}, InvalidInputError, "must be one of .* Got None"),
        ({"engine": ["grid"]}, InvalidInputError, "must be one of .* Got .'grid'."),
        ({"engine": "grid", "metric": "f1"}, InvalidInputError, "by accuracy alone. Got 'f1'"),
        (
            {"engine": "half"},
            InvalidInputError,
            "'half' must be a module or an object.* and search.* Got grid_engine:half",
        ),
        ({"engine": "class"}, InvalidInputError, "'class' must be .* not a class.* Got grid_engine:Another"),
        ({"engine": "gone"}, InvalidInputError, "'gone' cannot be loaded from grid_engine:nothing"),
        ({"engine": "lacking"}, MissingExtraError, "pip install library_that_is_not_there"),
    ],
)
def test_what_is_no_engine_is_refused_when_the_configuration_is_made(installed, change, error, message):
    with pytest.raises(error, match=message):
        AutoMLConfig(X=X, y=Y, **change)


def test_an_engine_that_returns_something_else_is_refused(installed):
    with pytest.raises(InvalidInputError, match="'another' must return a FinishedSearch. Got str"):
        Experiment("iris").submit(AutoMLConfig(X=X, y=Y, engine="another"))


def test_without_packages_the_built_in_engines_are_listed():
    with pytest.raises(InvalidInputError, match="must be one of flaml, optuna. Got 'grid'"):
        AutoMLConfig(X=X, y=Y, engine="grid")
