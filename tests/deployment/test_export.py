"""The folder of `export_service`, and the steps of its image in a fresh environment."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import yaml

from automl_explain import export_service, load, save
from automl_explain.cli import main
from automl_explain.explainers._errors import InvalidInputError
from tests.service.load import wait_until_ready
from tests.service.models import classifier, records, table
from tests.service.running import Client

ROOT = Path(__file__).parents[2]
TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save(classifier().scorer, tmp_path_factory.mktemp("export") / "loans")


def instructions(dockerfile):
    """Instructions of a Dockerfile with their arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", dockerfile, flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def test_the_folder_has_everything_and_its_versions_are_pinned(bundle, tmp_path):
    folder = export_service(bundle, tmp_path / "image")
    assert {path.name for path in folder.iterdir()} == {
        ".dockerignore", "Dockerfile", "README.md", "automl-explain.service", "bundle", "compose.yaml",
        "requirements.txt", "score.py",
    }  # fmt: skip
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.+]+", line) for line in lines)
    names = {line.partition("==")[0] for line in lines}
    assert {"numpy", "numba", "fastapi", "uvicorn", "automl-explain"} <= names
    assert not names & {"lightgbm", "xgboost", "shap", "flaml", "torch", "optuna"}
    assert load(folder / "bundle").fingerprint == load(bundle).fingerprint


def test_the_image_has_no_root_a_health_check_and_pinned_versions(bundle, tmp_path):
    steps = instructions((export_service(bundle, tmp_path / "image") / "Dockerfile").read_text())
    words = [word for word, _ in steps]
    users = [value for word, value in steps if word == "USER"]
    assert users == ["10001"]
    assert words.index("USER") < words.index("CMD")
    assert "HEALTHCHECK" in words
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim", dict(steps)["FROM"])
    run = json.loads(dict(steps)["CMD"])
    assert run[:3] == ["automl-explain", "serve", "bundle"]
    assert "--insecure" not in run
    copied = {
        name for word, value in steps if word == "COPY" for name in value.split()[:-1] if not name.startswith("--")
    }
    ignored = (tmp_path / "image" / ".dockerignore").read_text()
    assert all(f"!{name}" in ignored for name in copied)


def test_compose_and_systemd_start_the_same_command(bundle, tmp_path):
    folder = export_service(bundle, tmp_path / "image")
    service = yaml.safe_load((folder / "compose.yaml").read_text())["services"]["scoring"]
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["environment"]["AUTOML_EXPLAIN_TOKEN"].startswith("${AUTOML_EXPLAIN_TOKEN:?")
    unit = (folder / "automl-explain.service").read_text()
    command = json.loads(dict(instructions((folder / "Dockerfile").read_text()))["CMD"])
    assert "/bin/" + shlex.join(command) in unit


def test_the_linter_of_dockerfiles_has_nothing_to_say(bundle, tmp_path):
    linter = shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed")
    folder = export_service(bundle, tmp_path / "image")
    done = subprocess.run([linter, folder / "Dockerfile"], capture_output=True, text=True)
    assert done.stdout == ""
    assert done.returncode == 0


def test_a_folder_that_exists_is_kept_unless_it_may_be_replaced(bundle, tmp_path):
    folder = export_service(bundle, tmp_path / "image")
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match="exist_ok"):
        export_service(bundle, folder)
    export_service(bundle, folder, exist_ok=True)
    assert (folder / "mine.txt").read_text() == "mine"


def test_what_is_no_bundle_or_no_wheel_leaves_nothing_behind(bundle, tmp_path):
    for given, wheel in ((tmp_path, None), (bundle, tmp_path / "automl_explain-9.9-py3-none-any.whl")):
        with pytest.raises(InvalidInputError):
            export_service(given, tmp_path / "image", wheel=wheel)
    assert not (tmp_path / "image").exists()


def test_the_command_writes_the_folder(bundle, tmp_path, capsys):
    assert main(["export-service", str(bundle), str(tmp_path / "image"), "--json"]) == 0
    assert "Dockerfile" in json.loads(capsys.readouterr().out)["files"]
    assert main(["export-service", str(bundle), str(tmp_path / "image")]) == 2
    assert "exist" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_steps_of_the_image_in_a_fresh_environment(bundle, tmp_path):
    """What RUN, HEALTHCHECK and CMD say, with a virtual environment in the place of the image."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT], check=True, capture_output=True
    )
    wheel = next(tmp_path.glob("*.whl"))
    folder = export_service(bundle, tmp_path / "image", wheel=wheel)
    steps = instructions((folder / "Dockerfile").read_text())
    runs = [value for word, value in steps if word == "RUN"]
    venv.create(tmp_path / "venv", with_pip=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "AUTOML"))}
    environment |= {
        "PATH": f"{tmp_path / 'venv' / 'bin'}:{os.environ['PATH']}",
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
    }
    install, *rest = runs[0].split("&&")
    assert all(step.split()[0] in ("useradd", "mkdir", "chown") for step in rest)
    for step in (install, *runs[1:], "pip check --quiet || true"):
        subprocess.run(["bash", "-ec", step], cwd=folder, env=environment, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [port if word == "8000" else word for word in json.loads(dict(steps)["CMD"])]
    refused = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "token" in refused.stderr
    process = subprocess.Popen(command, cwd=folder, env=environment | {"AUTOML_EXPLAIN_TOKEN": TOKEN})
    try:
        client = Client(int(port), {"X-API-Key": TOKEN})
        wait_until_ready(client, process)
        health = dict(steps)["HEALTHCHECK"].partition("CMD")[2].replace("8000", port)
        subprocess.run(json.loads(health), env=environment, check=True)
        answer = client.post("/score", records(table(5))).json
        expected = load(bundle).explain_local(table(5)).local_importance_values
        assert answer["local_importance_values"] == expected.tolist()
    finally:
        process.terminate()
        assert process.wait(30) in (0, -15)
