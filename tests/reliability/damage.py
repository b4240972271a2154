"""Files of every kind that is saved, and damage of every kind: bytes, members of archives, arrays, manifests."""

import copy
import io
import json
import warnings
import zipfile

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC

import automl_explain as ax
from automl_explain.explainers.bundles._manifest import MANIFEST, listed

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "age": RNG.normal(40, 9, 24), "town": RNG.choice(["Rome", "Oslo"], 24), "debt": RNG.normal(size=24),
        "since": pd.date_range("2024-01-01", periods=24, tz="Europe/Paris"), "note": pd.Series([1, "x", None] * 8, dtype=object),
    }
)  # fmt: skip
NUMBERS = FRAME[["age", "debt"]]
LABELS, THREE = np.tile([0, 1], 12), np.tile([0, 1, 2], 8)
TEXTS = ["good and new", "bad and old", "so good", "old, bad"] * 6
COUNTS = sparse.csr_matrix(np.where(RNG.random((24, 5)) < 0.5, 1.0, 0.0))


class OfNumbers(LogisticRegression):
    """A model of two columns, so that any table can be explained."""

    def fit(self, X, y):
        return super().fit(X[list(NUMBERS)], y)

    def predict_proba(self, X):
        return super().predict_proba(X[list(NUMBERS)])


def explanations():
    """Yield explanations of every kind by name."""
    yield "frame", ax.explain_model(OfNumbers().fit(FRAME, LABELS), FRAME[:6], FRAME[:8]).explanation
    yield "sparse", ax.explain_model(LinearRegression().fit(COUNTS, LABELS), COUNTS, COUNTS[:8]).explanation
    vote = VotingClassifier(
        [("a", LogisticRegression()), ("b", RandomForestClassifier(2, random_state=0))], voting="soft"
    )
    yield "members", ax.explain_model(vote.fit(NUMBERS, THREE), NUMBERS[:6], NUMBERS[:8], members=True).explanation
    objects = FRAME[["note", "age"]].to_numpy(dtype=object)
    yield "objects", ax.explain_model(lambda X: np.asarray(X[:, 1], float), objects[:6], objects[:8]).explanation
    reader = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    yield "texts", ax.TextExplainer(reader).explain_local(TEXTS[:4])
    seer = LinearRegression().fit(RNG.random((24, 64)), LABELS)
    yield "images", ax.ImageExplainer(seer, n_segments=4).explain_local(RNG.random((2, 8, 8)))
    mimic = ax.MimicExplainer(vote, NUMBERS, ax.LinearExplainableModel)
    yield "mimic", mimic.explain_local(NUMBERS[:8])
    yield "lime", ax.LIMEExplainer(vote, NUMBERS, nsamples=50).explain_local(NUMBERS[:8])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)).double()
    tensors = RNG.random((6, 2, 2))
    yield "network", ax.DeepExplainer(network, tensors).explain_local(tensors[:2])
    yield "global", ax.PFIExplainer(vote, n_repeats=2).explain_global(NUMBERS, THREE)


def scorers():
    """Yield scoring explainers of every kind by name."""
    encoded = ColumnTransformer([("town", OneHotEncoder(), ["town"])], remainder="passthrough")
    table = FRAME[["age", "town", "debt"]]
    forest = make_pipeline(encoded, RandomForestClassifier(3, max_depth=3, random_state=0)).fit(table, LABELS)
    yield "trees", ax.scoring_explainer(forest, table)
    yield "line", ax.scoring_explainer(LogisticRegression().fit(NUMBERS, THREE), NUMBERS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        kernel = SVC(probability=True, random_state=0).fit(NUMBERS, LABELS)
    yield "kernel", ax.scoring_explainer(kernel, NUMBERS)


def whole_files(folder):
    """Return the files of all kinds: name -> its members by name, the manifest among them."""
    places = {}
    for name, one in explanations():
        places[name] = folder / name
        one.save(places[name])
    for name, scorer in scorers():
        places[name] = ax.save(scorer, folder / f"{name}.zip")
    return {name: members_of(place) for name, place in places.items()}


def members_of(place):
    """Return the members of an archive by name."""
    with zipfile.ZipFile(place) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members, *, hashes=True, how=zipfile.ZIP_STORED):
    """Return the bytes of an archive of members; their hashes are made right, as a forger would, unless `hashes` is False."""
    members = dict(members)
    with np.errstate(all="ignore"):
        try:
            facts = json.loads(members[MANIFEST])
        except (KeyError, ValueError):
            hashes = False
    if hashes and isinstance(facts, dict) and "files" in facts:
        facts["files"] = listed({name: content for name, content in members.items() if name != MANIFEST})
        members[MANIFEST] = json.dumps(facts).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def damaged(members, rng):
    """Return the bytes of a damaged file, and in words what was done to it."""
    how = [_bytes, _members, _array, _array, _array, _manifest, _manifest, _manifest][rng.integers(8)]
    return how(members, rng)


def _bytes(members, rng):
    content = bytearray(packed(members, hashes=False))
    place, length = int(rng.integers(len(content))), int(rng.integers(1, 200))
    ways = {
        "a bit is turned": lambda: content.__setitem__(place, content[place] ^ (1 << int(rng.integers(8)))),
        "the end is missing": lambda: content.__delitem__(slice(place, None)),
        "bytes are missing": lambda: content.__delitem__(slice(place, place + length)),
        "bytes are zero": lambda: content.__setitem__(slice(place, place + length), bytes(length)),
        "bytes are more": lambda: content.__setitem__(slice(place, place), rng.bytes(length)),
    }
    name = sorted(ways)[rng.integers(len(ways))]
    ways[name]()
    return bytes(content), f"{name} at {place}"


def _members(members, rng):
    names = [name for name in members if name != MANIFEST]
    name, other = (names[number] for number in rng.integers(len(names), size=2))
    ways = {
        "is missing": lambda: packed({key: part for key, part in members.items() if key != name}),
        "is another's": lambda: packed(members | {name: members[other], other: members[name]}),
        "is a bomb": lambda: packed(members | {name: bytes(1 << 26)}, how=zipfile.ZIP_DEFLATED),
        "is compressed": lambda: packed(members, how=zipfile.ZIP_DEFLATED),
        "has a neighbour": lambda: packed(members | {f"{name}.npy": members[name]}),
        "leaves the folder": lambda: packed(members | {f"../{name}": members[name]}),
        "is empty": lambda: packed(members | {name: b""}),
        "has other bytes": lambda: packed(members | {name: rng.bytes(len(members[name]))}),
    }
    way = sorted(ways)[rng.integers(len(ways))]
    return ways[way](), f"{name} {way} ({other})"


def _array(members, rng):
    names = [name for name in members if name.endswith(".npy")]
    name = names[rng.integers(len(names))]
    array = np.load(io.BytesIO(members[name]))
    flat = array.reshape(-1).copy()
    cells = rng.integers(max(flat.size, 1), size=3)

    def with_cells(value):
        if flat.size:
            with np.errstate(all="ignore"):
                flat[cells] = np.array(value).astype(flat.dtype) if flat.dtype.kind not in "mMSU" else flat[::-1][cells]
        return flat.reshape(array.shape)

    numbers = np.zeros(array.shape, np.int64) if array.dtype.kind in "SUmM" else array
    ways = {
        "is shorter": lambda: array[:-1], "is longer": lambda: np.concatenate([array, array]) if array.ndim else array[None],
        "has another axis": lambda: array[None], "is flat": lambda: flat, "is empty": lambda: array[:0],
        "is turned": lambda: array.T, "points far": lambda: with_cells(2**31 - 9), "points below": lambda: with_cells(-7),
        "is not finite": lambda: with_cells(np.nan), "is infinite": lambda: with_cells(np.inf),
        "is huge": lambda: with_cells(1e308), "is zero": lambda: np.zeros_like(array),
        "has floats": lambda: numbers.astype(np.float32), "has integers": lambda: numbers.astype(np.int16),
        "has bytes": lambda: numbers.astype(np.uint8), "has truths": lambda: numbers.astype(bool),
        "has complex numbers": lambda: numbers.astype(np.complex64), "has texts": lambda: array.astype("U3"),
        "is a scalar": lambda: np.array(1.0), "is large": lambda: np.zeros((200, 2000)),
        "is in disorder": lambda: rng.permutation(flat).reshape(array.shape),
        "swaps its bytes": lambda: array.astype(array.dtype.newbyteorder()),
    }  # fmt: skip
    way = sorted(ways)[rng.integers(len(ways))]
    stream = io.BytesIO()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.save(stream, np.ascontiguousarray(ways[way]()))
    return packed(members | {name: stream.getvalue()}), f"{name} {way}"


STRANGE = (
    None,
    -1,
    0,
    1.5,
    2**70,
    1e300,
    True,
    "",
    "strange",
    "\0",
    "x" * 100_000,
    [],
    ["strange"],
    [[]],
    {},
    {"strange": 1},
)
"""What stands in a manifest in the place of something else."""


def _manifest(members, rng):
    facts = json.loads(members[MANIFEST])
    facts.pop("files", None)
    where = [(facts, key) for key in facts]
    for parent, key in where:  # grows
        part = parent[key]
        where += [
            (part, inner)
            for inner in (part if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ())
        ]
    parent, key = where[rng.integers(len(where))]
    old, way = parent[key], int(rng.integers(len(STRANGE) + 3))
    if way < len(STRANGE):
        parent[key] = copy.deepcopy(STRANGE[way])
    elif way == len(STRANGE):
        del parent[key]
    elif way == len(STRANGE) + 1:
        parent[key] = [old, old]
    else:
        other, inner = where[rng.integers(len(where))]
        with np.errstate(all="ignore"):
            parent[key] = copy.deepcopy(other[inner]) if not isinstance(other, list) or inner < len(other) else None
    said = f"{key} was {str(old)[:30]!r}, change {way}"
    with_list = json.loads(members[MANIFEST])
    if "files" in with_list:
        facts["files"] = with_list["files"]
    return packed(members | {MANIFEST: json.dumps(facts).encode()}), said


# ------------------------------------------------------------------------------------------------ what readers do


def use(path, is_scorer):
    """Read a file and use all that is in it, as commands, plots and services do."""
    if is_scorer:
        ax.inspect_bundle(path)
        scorer = ax.load(path)
        rows = FRAME[["age", "town", "debt"] if "trees" in path.name else list(NUMBERS)][:3]
        scorer.explain_local(rows).to_frame()
        scorer.predict(rows)
        return
    read = ax.Explanation.load(path)
    read.to_frame()
    if read.kind != "permutation":
        read.to_local_frame()
    overall = read.overall()
    overall.get_ranked_global_names()
    if isinstance(read, ax.Explanation) and read.local_importance_values is not None:
        read.shaped_values()
    overall.get_feature_importance_dict()
    ax.ExplanationDiff.between(overall, overall).as_text()
    read._repr_html_()
    repr(read)
    if getattr(read, "members", None) is not None:
        read.members.to_frame()
