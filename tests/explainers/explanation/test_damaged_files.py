"""Files of explanations that were damaged or changed end in one typed error, or are read as they were."""

import copy
import io
import json
import os
import zipfile

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from automl_explain import Explanation, explain_model
from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError
from automl_explain.explainers.bundles._manifest import KEY_VARIABLE, listed

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "number": RNG.normal(size=12),
        "text": pd.Series(["a", None, "b"] * 4, dtype="string"),
        "object": [1, "x", None] * 4,
        "kind": pd.Categorical(["u", "v", "u"] * 4),
        "when": pd.date_range("2024-01-01", periods=12, tz="Europe/Paris"),
        "count": pd.array([1, None, 3] * 4, dtype="Int64"),
    }
)
ANY_NUMBER = ("column.4.npy", "column.5.npy")
"""Members with integers of any size: the dates and the counts."""
HIGH = np.array([0, 1] * 6)


class OfNumbers(LogisticRegression):
    """A model of the first column only, so that any table can be explained."""

    def fit(self, X, y):
        return super().fit(X[["number"]], y)

    def predict_proba(self, X):
        return super().predict_proba(X[["number"]])


def explanations():
    numbers = FRAME[["number"]].assign(more=RNG.normal(size=12))
    yield "frame", explain_model(OfNumbers().fit(FRAME, HIGH), FRAME[:4], FRAME).explanation
    matrix = sparse.csr_matrix(np.where(RNG.random((12, 5)) < 0.5, 1.0, 0.0))
    yield "sparse", explain_model(LinearRegression().fit(matrix, HIGH), matrix, matrix).explanation
    vote = VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(random_state=0))], voting="soft")
    yield "classes", explain_model(vote.fit(numbers, [0, 1, 2] * 4), numbers, numbers, members=True).explanation


KEPT = dict(explanations())


def parts(explanation, folder):
    """Return the manifest and the members of the file of an explanation."""
    explanation.save(folder / "sound")
    with zipfile.ZipFile(folder / "sound") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    return json.loads(contents.pop("manifest.json")), contents


def packed(path, manifest, contents, hashes=True):
    """Write a file, with the right hashes unless they are those of the manifest."""
    manifest = manifest | ({"files": listed(contents)} if hashes else {})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def as_npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def changes(manifest, contents, rng):
    """Yield manifests and members in which one part does not fit the others any more, under a name."""
    for name, content in contents.items():
        array = np.load(io.BytesIO(content))
        if len(array):
            yield f"{name} is shorter", manifest, contents | {name: as_npy(array[:-1])}
        yield f"{name} has another axis", manifest, contents | {name: as_npy(array[None])}
        yield f"{name} is missing", manifest, {key: other for key, other in contents.items() if key != name}
        yield f"{name} is cut", manifest, contents | {name: content[:-1]}
        if array.dtype.kind in "iu" and array.size and name not in ANY_NUMBER:
            yield f"{name} points outside", manifest, contents | {name: as_npy(np.full_like(array, 99))}
            if array.dtype.kind == "i":
                yield f"{name} points below", manifest, contents | {name: as_npy(np.full_like(array, -99))}
    for key in manifest:
        if key == "files":
            continue
        yield f"{key} is missing", {name: part for name, part in manifest.items() if name != key}, contents
        for strange in (17, "strange", ["strange"], {"strange": 1}, None, 1e300):
            yield f"{key} is {strange!r}", manifest | {key: strange}, contents
    for _ in range(20):
        changed = copy.deepcopy(manifest)
        where = [(changed, key) for key in changed]
        for parent, key in list(where):
            if isinstance(parent[key], dict):
                where += [(parent[key], inner) for inner in parent[key]]
            if isinstance(parent[key], list):
                where += [(parent[key], inner) for inner in range(len(parent[key]))]
        parent, key = where[rng.integers(len(where))]
        parent[key] = [None, -1, "\x00", [], {}, True, 2**70][rng.integers(7)]
        yield f"{key} is {parent[key]!r}", changed, contents


def read_or_refused(path, case):
    """Return what a file holds, after everything of it has been read; None if it is refused."""
    try:
        read = Explanation.load(path)
    except AutoMLExplainError:
        return None
    read.to_local_frame()
    read.get_ranked_global_names()
    if read.data is not None:
        assert len(read.data) == read.num_examples or not read.num_examples, case
    return read


@pytest.mark.parametrize("name", KEPT)
def test_parts_that_do_not_fit_are_refused_or_harmless(name, tmp_path):
    manifest, contents = parts(KEPT[name], tmp_path)
    taken = []
    for case, facts, members in changes(manifest, contents, np.random.default_rng(1)):
        read = read_or_refused(packed(tmp_path / "x", facts, members), case)
        taken.append(read is not None)
        if "shorter" in case or "points" in case or "axis" in case or "cut" in case:
            assert read is None, case
    assert len(taken) > 100
    assert np.mean(taken) < 0.5


@pytest.mark.parametrize("name", KEPT)
def test_a_changed_byte_is_noticed(name, tmp_path):
    parts(KEPT[name], tmp_path)
    sound = (tmp_path / "sound").read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(len(sound), size=60).tolist():
        changed = bytearray(sound)
        changed[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "x").write_bytes(changed)
        read = read_or_refused(tmp_path / "x", place)
        if read is not None:  # a date or an attribute in the archive, which nobody reads
            np.testing.assert_array_equal(read.local_importance_values, KEPT[name].local_importance_values)
            assert read.get_feature_importance_dict() == KEPT[name].get_feature_importance_dict()


def test_members_that_no_file_has_are_refused_before_they_are_unpacked(tmp_path):
    manifest, contents = parts(KEPT["classes"], tmp_path)
    with zipfile.ZipFile(tmp_path / "x", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        for member, content in contents.items():
            archive.writestr(member, content)
        archive.writestr("bomb.npy", bytes(1 << 24))
    with pytest.raises(InvalidInputError, match=r"bomb.npy.*grows too much"):
        Explanation.load(tmp_path / "x")
    manifest.pop("files")
    packed(tmp_path / "y", manifest, contents | {"notes.txt": b"hello"}, hashes=False)
    with pytest.raises(InvalidInputError, match=r"notes.txt"):
        Explanation.load(tmp_path / "y")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(InvalidInputError, match="is not a file"):
            Explanation.load(place)


def test_signed_files(tmp_path, monkeypatch):
    KEPT["sparse"].save(tmp_path / "unsigned")
    monkeypatch.setenv(KEY_VARIABLE, "key")
    with pytest.raises(InvalidInputError, match="no signature"):
        Explanation.load(tmp_path / "unsigned")
    KEPT["sparse"].save(tmp_path / "signed")
    assert Explanation.load(tmp_path / "signed").num_examples == 12
    monkeypatch.setenv(KEY_VARIABLE, "another")
    with pytest.raises(InvalidInputError, match="not that of the key"):
        Explanation.load(tmp_path / "signed")
    monkeypatch.delenv(KEY_VARIABLE)
    assert Explanation.load(tmp_path / "signed").num_examples == 12
