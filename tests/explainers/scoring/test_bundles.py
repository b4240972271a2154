"""Bundles come from strangers: what has been changed, cut, blown up or made to escape is refused, and old ones load."""

import hashlib
import json
import shutil
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from automl_explain import FormatVersionError, InvalidInputError, inspect_bundle, load, save, scoring_explainer
from automl_explain.cli import main
from automl_explain.explainers.bundles._manifest import KEY_VARIABLE
from automl_explain.explainers.scoring import _bundle
from tests.explainers.scoring.conftest import CASES, FRAME

BUNDLES = Path(__file__).parent / "bundles"


@pytest.fixture
def copied(bundle, tmp_path):
    """A copy of a bundle, to be changed."""
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


@pytest.fixture
def zipped(pipeline, tmp_path):
    return save(scoring_explainer(pipeline[0]), tmp_path / "bundle.zip")


def manifest_of(path):
    return json.loads((path / "manifest.json").read_text(encoding="utf-8"))


def put_manifest(path, manifest):
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def some_array(path, name="model.structure.threshold"):
    return next(path.glob(f"data-*/{name}.npy"))


def relisted(path, array):
    """List a changed array with its new size and hash, as a forger would."""
    manifest, content = manifest_of(path), array.read_bytes()
    manifest["files"][f"{array.parent.name}/{array.name}"] = {
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    put_manifest(path, manifest)


@pytest.mark.parametrize("path", sorted(BUNDLES.glob("*.zip")), ids=lambda path: path.stem)
def test_bundles_of_every_format_load_with_their_values(path):
    wanted = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    scorer = load(path)
    assert np.allclose(np.stack(scorer.explain(wanted["rows"])), np.array(wanted["values"]), rtol=0, atol=1e-12)
    assert np.allclose(scorer.predict(wanted["rows"]), np.array(wanted["outputs"]), rtol=0, atol=1e-12)


def test_there_is_a_bundle_of_every_format():
    assert {f"format-{number}" for number in range(1, _bundle.FORMAT + 1)} <= {
        path.stem for path in BUNDLES.glob("*.zip")
    }


def test_no_file_is_a_pickle_and_none_is_open_to_others(bundle):
    files = [path for path in bundle.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".npy"}
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)


def test_inspect_reads_the_manifest_only(copied):
    some_array(copied).unlink()
    found = inspect_bundle(copied)
    assert found["kind"] == "tree"
    assert found["classes"] == [0, 1]
    assert [column["name"] for column in found["schema"]["columns"]] == list(FRAME.columns)
    assert (
        found["schema"]["columns"][6]["categories"] == ["Rome", "Oslo", "Bern"]
        or len(found["schema"]["columns"][6]["categories"]) == 3
    )
    assert not found["signed"]


def test_a_directory_is_replaced_only_if_asked_and_other_files_stay(pipeline, tmp_path):
    scorer, place = scoring_explainer(pipeline[0]), tmp_path / "place"
    place.mkdir()
    (place / "score.py").write_text("mine")
    with pytest.raises(InvalidInputError, match="exist_ok=True"):
        save(scorer, place)
    save(scorer, place, exist_ok=True)
    save(scoring_explainer(CASES["linear"]()[0]), place, exist_ok=True)
    assert (place / "score.py").read_text() == "mine"
    assert len(list(place.glob("data-*"))) == 1
    assert inspect_bundle(place)["kind"] == "linear"


# --------------------------------------------------------------------------- changed files


def test_a_changed_byte_is_found(copied):
    array = some_array(copied)
    content = bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(content)
    with pytest.raises(InvalidInputError, match="hash of .*threshold.npy"):
        load(copied)


@pytest.mark.parametrize("keep", [0, 60, 200])
def test_a_truncated_array_is_found(copied, keep):
    array = some_array(copied)
    array.write_bytes(array.read_bytes()[:keep])
    with pytest.raises(InvalidInputError, match="size of"):
        load(copied)
    relisted(copied, array)
    with pytest.raises(InvalidInputError, match="damaged|no array of numbers"):
        load(copied)


def test_a_truncated_archive_is_refused(zipped):
    content = zipped.read_bytes()
    for end in (0, 10, len(content) // 2, len(content) - 5):
        zipped.write_bytes(content[:end])
        with pytest.raises(InvalidInputError, match="damaged"):
            load(zipped)


def test_a_missing_array_is_found(copied):
    some_array(copied).unlink()
    with pytest.raises(InvalidInputError, match=r"lacks the file .*threshold\.npy"):
        load(copied)


def test_a_newer_format_is_refused(copied):
    put_manifest(copied, manifest_of(copied) | {"format": 99})
    with pytest.raises(FormatVersionError, match="format 99.*Upgrade"):
        load(copied)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"kind": "scoring explainer", "kind": "x"}', "[" * 20000])
def test_what_is_no_manifest_is_refused(copied, text):
    (copied / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError):
        load(copied)


def test_every_other_manifest_is_read_or_refused_with_a_typed_error(copied):
    whole, refused = manifest_of(copied), set()
    for part in (whole, whole["explainer"], whole["explainer"]["model"], whole["schema"]):
        for key in list(part):
            value = part.pop(key)
            for other in (None, 7, "x", [], {}, value):
                put_manifest(copied, whole)
                try:
                    load(copied)
                except (InvalidInputError, FormatVersionError):
                    refused.add(key)
                part[key] = other
    assert {
        "kind",
        "format",
        "files",
        "schema",
        "explainer",
        "intake",
        "model",
        "structure",
        "columns",
        "links",
    } <= refused
    put_manifest(copied, whole)
    load(copied)


def test_every_other_manifest_is_inspected_or_refused_with_one_line(copied, capsys):
    whole, refused = manifest_of(copied), set()
    for part in (whole, whole["explainer"], whole["schema"], whole["schema"]["columns"][6]):
        for key in list(part):
            value = part.pop(key)
            for other in (None, 7, "x", [], {}, [7], {"x": 7}):
                put_manifest(copied, whole)
                if main(["inspect", str(copied)]) == 2:
                    refused.add(key)
                    assert capsys.readouterr().err.count("\n") == 1
                part[key] = other
            part[key] = value
    assert {"kind", "format", "files", "schema", "versions", "facts", "classes", "columns", "categories"} <= refused
    put_manifest(copied, whole)
    assert main(["inspect", str(copied)]) == 0


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("left", lambda array: array + 1),
        ("right", lambda array: np.where(array > 0, 10**6, array)),
        ("right", lambda array: np.where(array > 0, 1, array)),
        ("feature", lambda array: np.where(array >= 0, 10**6, array)),
        ("feature", lambda array: np.where(array >= 0, -5, array)),
        ("roots", lambda array: array + 1),
        ("roots", lambda array: array[::-1] * 0),
        ("output", lambda array: array + 50),
        ("category_size", lambda array: array + 3),
        ("values", lambda array: array * np.nan),
        ("values", lambda array: array[:-1]),
        ("threshold", lambda array: array[:3]),
        ("cover", lambda array: array.astype(np.int64).astype("U8").view("i4")),
    ],
)
def test_trees_that_would_leave_their_arrays_are_refused(copied, name, change):
    array = some_array(copied, f"model.structure.{name}")
    np.save(array, change(np.load(array)))
    relisted(copied, array)
    with pytest.raises(InvalidInputError):
        load(copied)


@pytest.fixture(scope="module")
def stacked(tmp_path_factory):
    X = np.random.default_rng(0).normal(size=(30, 2))
    members = [("a", LogisticRegression()), ("b", LogisticRegression(C=0.1))]
    stack = StackingClassifier(members, cv=2).fit(X, X[:, 0] > 0)
    return save(scoring_explainer(stack, X[:9]), tmp_path_factory.mktemp("stack") / "bundle")


@pytest.mark.parametrize("reads", [[0], [0, 1, 1], [0, 9], [-1, 0], []])
def test_a_final_estimator_that_does_not_fit_its_members_is_refused(stacked, reads, tmp_path):
    path = Path(shutil.copytree(stacked, tmp_path / "copy"))
    array = some_array(path, "model.structure.combine.reads")
    np.save(array, np.array(reads, dtype=np.int64))
    relisted(path, array)
    with pytest.raises(InvalidInputError, match="combine"):
        load(path)


def test_a_final_estimator_of_other_classes_is_refused(stacked, tmp_path):
    path = Path(shutil.copytree(stacked, tmp_path / "copy"))
    manifest = manifest_of(path)
    manifest["explainer"]["model"]["structure"]["combine"]["model"]["classes"] = [1]
    put_manifest(path, manifest)
    with pytest.raises(InvalidInputError, match="combine"):
        load(path)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "columns", [{"outputs": 2**31}, {"outputs": 2**62, "inputs": 2**62}, {"outputs": -1, "inputs": -1}]
)
def test_a_map_of_more_columns_than_there_are_takes_no_memory(stacked, columns, tmp_path):
    path = Path(shutil.copytree(stacked, tmp_path / "copy"))
    manifest = manifest_of(path)
    assert manifest["explainer"]["intake"]["identity"]
    manifest["explainer"]["intake"] |= columns
    put_manifest(path, manifest)
    with pytest.raises(InvalidInputError, match="map of columns"):
        load(path)


@pytest.mark.parametrize(
    "name", ["players", "parent", "background", "intake.table.start", "intake.0.source", "intake.0.to"]
)
def test_other_positions_are_checked_too(copied, name):
    array = some_array(copied, name)
    np.save(array, np.load(array)[:1] if name == "background" else np.load(array) + 10**6)
    if name == "background":
        np.save(array, np.load(array)[:, :1])
    relisted(copied, array)
    with pytest.raises(InvalidInputError):
        load(copied)


def test_objects_and_pickles_are_refused(copied):
    array = some_array(copied)
    np.save(array, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    relisted(copied, array)
    with pytest.raises(InvalidInputError):
        load(copied)


def test_an_array_that_says_it_is_huge_takes_no_memory(copied):
    array = some_array(copied)
    content = array.read_bytes()
    start = content.index(b"(")
    end = content.index(b")")
    array.write_bytes(content[:start] + b"(99999999999,".ljust(end - start)[: end - start] + content[end:])
    relisted(copied, array)
    with pytest.raises(InvalidInputError):
        load(copied)


# -------------------------------------------------------------------------------- archives


def rewritten(path, change):
    """Write an archive again with other members: (name, content) pairs."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in change(members):
            archive.writestr(name, content)


@pytest.mark.parametrize(
    "name", ["../evil.npy", "/etc/evil.npy", "data-0/../../evil.npy", "a/b/c.npy", ".hidden", "data\\x.npy", "C:evil"]
)
def test_names_that_leave_the_folder_are_refused(zipped, name):
    rewritten(zipped, lambda members: [*members, (name, b"x")])
    with pytest.raises(InvalidInputError, match="no bundle has"):
        load(zipped)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["manifest.json", "MANIFEST.json"])
def test_double_names_are_refused(zipped, name):
    rewritten(zipped, lambda members: [*members, (name, b"{}")])
    with pytest.raises(InvalidInputError, match="two files of the name"):
        load(zipped)


def test_unlisted_files_of_an_archive_are_refused(zipped):
    rewritten(zipped, lambda members: [*members, ("data-1/more.npy", b"x")])
    with pytest.raises(InvalidInputError, match="does not list"):
        load(zipped)


def test_a_file_that_grows_too_much_is_refused(zipped):
    rewritten(zipped, lambda members: [*members, ("data-1/zeros.npy", bytes(50_000_000))])
    with pytest.raises(InvalidInputError, match="grows too much"):
        load(zipped)


def test_bundles_above_the_limit_are_refused(bundle):
    with pytest.raises(InvalidInputError, match="larger than 1000 bytes"):
        load(bundle, max_bytes=1000)


def test_links_are_not_followed(copied, tmp_path):
    array = some_array(copied)
    target = tmp_path / "elsewhere.npy"
    shutil.move(array, target)
    array.symlink_to(target)
    with pytest.raises(InvalidInputError, match="link"):
        load(copied)


@pytest.mark.parametrize("made", ["nothing", "empty", "text"])
def test_what_is_no_bundle_is_refused(tmp_path, made):
    path = tmp_path / "path"
    if made == "empty":
        path.mkdir()
    elif made == "text":
        path.write_text("hello")
    with pytest.raises(InvalidInputError):
        load(path)
    with pytest.raises(InvalidInputError):
        inspect_bundle(path)


# ------------------------------------------------------------------------------- signatures


def test_a_signed_bundle_loads_with_its_key_only(pipeline, tmp_path, monkeypatch):
    scorer = scoring_explainer(pipeline[0])
    unsigned = save(scorer, tmp_path / "unsigned")
    monkeypatch.setenv(KEY_VARIABLE, "first key")
    signed = [save(scorer, tmp_path / "signed"), save(scorer, tmp_path / "signed.zip")]
    for path in signed:
        assert inspect_bundle(path)["signed"]
        load(path)
    with pytest.raises(InvalidInputError, match="no signature"):
        load(unsigned)
    monkeypatch.setenv(KEY_VARIABLE, "second key")
    for path in signed:
        with pytest.raises(InvalidInputError, match="not that of the key"):
            load(path)


def test_a_forger_who_corrects_the_hashes_is_found_by_the_signature(pipeline, tmp_path, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "key")
    path = save(scoring_explainer(pipeline[0]), tmp_path / "signed")
    array = some_array(path, "model.structure.values")
    np.save(array, np.load(array) * 2)
    relisted(path, array)
    with pytest.raises(InvalidInputError, match="not that of the key"):
        load(path)


def test_a_kill_while_a_bundle_is_replaced_leaves_one_that_loads(pipeline, tmp_path, monkeypatch):
    """Whichever file is the last one that is written, the directory has the old bundle or the new one, and its signature."""
    monkeypatch.setenv(KEY_VARIABLE, "key")
    old, new = scoring_explainer(pipeline[0]), scoring_explainer(Ridge().fit(np.eye(3), [1.0, 2.0, 4.0]), np.eye(3))
    write, seen = _bundle._write, set()
    for last in range(100):
        path, written = save(old, tmp_path / str(last)), []

        def killed(file, content, last=last, written=written):
            if len(written) == last:
                raise KeyboardInterrupt
            written.append(file)
            write(file, content)

        monkeypatch.setattr(_bundle, "_write", killed)
        try:
            save(new, path, exist_ok=True)
            break
        except KeyboardInterrupt:
            seen.add(load(path).fingerprint)
        finally:
            monkeypatch.setattr(_bundle, "_write", write)
    assert seen == {old.fingerprint, new.fingerprint}
    assert len((path / "manifest.sig").read_text().split()) == 1
    monkeypatch.delenv(KEY_VARIABLE)
    assert load(save(old, path, exist_ok=True)).fingerprint == old.fingerprint
    assert not (path / "manifest.sig").exists()


def test_a_bundle_that_is_replaced_while_it_is_read_is_the_new_one(pipeline, tmp_path, monkeypatch):
    old, new = scoring_explainer(pipeline[0]), scoring_explainer(Ridge().fit(np.eye(3), [1.0, 2.0, 4.0]), np.eye(3))
    path, read, n_replaced = save(old, tmp_path / "bundle"), _bundle.checked_content, []

    def replacing(*args):
        if not n_replaced:
            n_replaced.append(save(new, path, exist_ok=True))
        return read(*args)

    monkeypatch.setattr(_bundle, "checked_content", replacing)
    assert load(path).fingerprint == new.fingerprint
