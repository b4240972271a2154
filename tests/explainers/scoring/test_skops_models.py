"""Objects of scikit-learn that have no form as data, stored by skops: the same values, no pickle, only trusted types."""

import io
import json
import zipfile

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer

from automl_explain import (
    ExternalModelError,
    InvalidInputError,
    TabularExplainer,
    UnsupportedModelError,
    UntrustedModelError,
    export_service,
    inspect_bundle,
    load,
    save,
    scoring_explainer,
)
from automl_explain.cli import main
from automl_explain.explainers.bundles._manifest import KEY_VARIABLE
from automl_explain.integrations.model_files._bundled_skops import FILE
from tests.explainers.scoring.conftest import FRAME, X, Y, preparation
from tests.explainers.scoring.test_bundles import relisted

skops_io = pytest.importorskip("skops.io")

MODELS = {
    "neighbours": lambda: make_pipeline(preparation(), KNeighborsClassifier()).fit(FRAME, Y),
    "principal components": lambda: make_pipeline(
        QuantileTransformer(n_quantiles=20), PCA(3), LogisticRegression()
    ).fit(X, Y),
    "a Gaussian process": lambda: GaussianProcessClassifier(random_state=0).fit(X[:60], Y[:60]),
}


def explained(name):
    model = MODELS[name]()
    rows = FRAME if name == "neighbours" else X
    return TabularExplainer(model, rows[:20], feature_space="raw" if name == "neighbours" else "engineered"), rows[
        30:34
    ]


@pytest.fixture(autouse=True)
def _signed(monkeypatch):
    """Neighbours have a search tree, which is read from signed bundles only."""
    monkeypatch.setenv(KEY_VARIABLE, "a key")


@pytest.fixture(scope="module")
def scorer():
    return scoring_explainer(explained("neighbours")[0])


@pytest.fixture
def bundle(scorer, tmp_path):
    return save(scorer, tmp_path / "bundle", model="skops")


@pytest.fixture
def unsigned(tmp_path, monkeypatch):
    """A bundle that anyone may have written."""
    monkeypatch.delenv(KEY_VARIABLE)
    return save(scoring_explainer(explained("principal components")[0]), tmp_path / "bundle", model="skops")


@pytest.mark.parametrize("name", MODELS)
def test_values_equal_those_of_the_explainer_without_a_model(name, tmp_path):
    explainer, rows = explained(name)
    path = save(scoring_explainer(explainer), tmp_path / "bundle.zip", model="skops")
    loaded = load(path)
    wanted = explainer.explain_local(rows)
    np.testing.assert_allclose(
        loaded.explain_local(rows).local_importance_values, wanted.local_importance_values, atol=1e-12
    )
    np.testing.assert_allclose(loaded.predict(rows), wanted.predictions, atol=1e-12)
    again = load(save(loaded, tmp_path / "again"))  # the form of the bundle is kept
    assert again.fingerprint == loaded.fingerprint
    assert inspect_bundle(tmp_path / "again")["model_file"] == inspect_bundle(path)["model_file"]


def test_commands_need_no_model(bundle, scorer, tmp_path, capsys):
    assert inspect_bundle(bundle)["external"] is None
    assert main(["inspect", str(bundle)]) == 0
    assert "holds: sklearn.pipeline.Pipeline, as skops" in capsys.readouterr().out
    assert main(["verify", str(bundle)]) == 0
    assert "whole, signed; KernelScoringExplainer" in capsys.readouterr().out
    FRAME[:5].to_csv(tmp_path / "rows.csv", index=False)
    assert main(["score", str(bundle), "--data", str(tmp_path / "rows.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["rows"]
    predicted = [scorer.classes[k] for k in scorer.predict(FRAME[:5]).argmax(axis=1)]
    assert [row["prediction"] for row in found] == predicted
    folder = export_service(bundle, tmp_path / "image")
    assert "skops==" in (folder / "requirements.txt").read_text()
    assert load(folder / "bundle").identity == scorer.identity


def test_a_model_is_refused_where_the_bundle_has_one(bundle):
    with pytest.raises(ExternalModelError, match="holds its model"):
        load(bundle, model=MODELS["neighbours"]())


def own(rows):
    return rows


@pytest.mark.parametrize(
    "model",
    [
        lambda: make_pipeline(FunctionTransformer(own), KNeighborsClassifier()).fit(X, Y),
        lambda: KNeighborsClassifier().fit(X, Y).predict_proba,
        lambda: lambda rows: rows[:, 0],
    ],
    ids=["own function", "method", "function"],
)
def test_other_types_are_not_stored(model, tmp_path):
    scorer = scoring_explainer(TabularExplainer(model(), X[:20]))
    with pytest.raises(UnsupportedModelError, match="model='external'"):
        save(scorer, tmp_path / "bundle", model="skops")
    assert not (tmp_path / "bundle").exists()


def with_model(bundle, content):
    """Put another model into a bundle, as its manifest's author could."""
    (place,) = bundle.rglob(FILE)
    place.write_bytes(content)
    relisted(bundle, place)


class Harmful:
    pass


def test_types_that_are_not_trusted_are_refused_before_anything_is_read(unsigned):
    with_model(unsigned, skops_io.dumps([Harmful()]))
    with pytest.raises(
        UntrustedModelError, match=r"not trusted: \['tests.explainers.scoring.test_skops_models.Harmful'\]"
    ):
        load(unsigned)


def test_compiled_search_trees_are_read_from_signed_bundles_only(scorer, unsigned, tmp_path):
    with pytest.raises(UnsupportedModelError, match=f"only loaded from signed bundles.*KDTree.*{KEY_VARIABLE}"):
        save(scorer, tmp_path / "other", model="skops")
    with_model(unsigned, skops_io.dumps(MODELS["neighbours"]()))
    with pytest.raises(UntrustedModelError, match=f"not trusted.*KDTree.*{KEY_VARIABLE}"):
        load(unsigned)


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", b"PK\x05\x06" + b"\0" * 18],
    ids=["empty", "text", "no schema"],
)
def test_what_is_no_file_of_skops_is_refused(unsigned, content):
    with_model(unsigned, content)
    with pytest.raises(InvalidInputError, match="damaged"):
        load(unsigned)


def test_a_file_that_grows_too_much_is_refused(unsigned):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"0" * 5_000_000)
    with_model(unsigned, made.getvalue())
    with pytest.raises(InvalidInputError, match="grows too much"):
        load(unsigned)


def test_another_model_is_refused(unsigned):
    other = make_pipeline(QuantileTransformer(n_quantiles=20), PCA(2), LogisticRegression()).fit(X, Y)
    with_model(unsigned, skops_io.dumps(other))
    with pytest.raises(ExternalModelError, match="The model in the bundle.*outputs for the 20 rows"):
        load(unsigned)
