"""`TextExplanation`: ragged values, rankings, files, pages and other forms."""

import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from automl_explain import (
    Explanation,
    ExplanationClient,
    Fidelity,
    InvalidInputError,
    RunHistory,
    TextExplanation,
    TextValues,
    plot_global_importance,
    plot_text,
    write_report,
)

HOSTILE = "<script>alert('x')</script> good & \"bad\" good"


def text_values(text, values, notes=(), errors=False):
    """Values of the words of a text, which are cut at spaces."""
    spans = {}
    for found in re.finditer(r"\S+", text):
        spans.setdefault(found.group(), []).append(found.span())
    values, base = np.asarray(values, float), np.linspace(0.1, 0.2, len(values))
    return TextValues(
        text,
        tuple(spans),
        tuple(map(tuple, spans.values())),
        ((0, len(text)),),
        values,
        base,
        base + values.sum(axis=1),
        np.abs(values) / 10 if errors else None,
        notes,
    )


def two_classes():
    documents = (
        text_values("a good good film", [[0.1, -0.5, 0.2], [-0.1, 0.5, -0.2]], errors=True),
        text_values("שלום עולם", [[0.3, 0.0], [-0.3, 0.0]], ("cut",)),
        text_values("", np.zeros((2, 0))),
        text_values("a 😀", [[-0.1, 0.4], [0.1, -0.4]]),
    )
    fidelity = Fidelity(10, True, 0.9)
    return TextExplanation(
        documents, ("no", np.str_("yes")), "log_odds", "kernel", "because", notes=("a note",), fidelity=fidelity
    )


def regression():
    return TextExplanation((text_values(HOSTILE, [[1.0, -2.0, 0.5, 3.0]]),), None, "response", "linear", "sum")


def test_rankings_are_means_over_all_texts():
    explanation = two_classes()
    assert explanation.num_examples == len(explanation) == 4
    assert explanation.features == ("a", "good", "film", "שלום", "עולם", "😀")
    expected = np.array([0.2, 0.5, 0.2, 0.3, 0.0, 0.4]) / 4
    np.testing.assert_allclose(explanation.global_importance_values, expected)
    np.testing.assert_allclose(np.abs(explanation.local_importance_values).mean(axis=(0, 1)), expected)
    assert explanation.get_ranked_global_names(3) == ["good", "😀", "שלום"]
    assert explanation.overall().get_ranked_global_names(3) == ["good", "😀", "שלום"]
    np.testing.assert_allclose(explanation.get_ranked_global_values(2), [0.125, 0.1])
    assert explanation.get_ranked_per_class_names(1).tolist() == [["good"], ["good"]]
    np.testing.assert_allclose(explanation.get_ranked_per_class_values(1), [[0.125], [0.125]])
    assert explanation.additivity_error < 1e-15
    assert explanation.predictions.shape == (4, 2)


def test_parts():
    explanation = two_classes()
    assert explanation[1].texts == ("שלום עולם",)
    assert explanation[-2:].texts == ("", "a 😀")
    assert [one.texts for one in explanation] == [(text,) for text in explanation.texts]
    assert len(explanation[np.array([True, False, False, True])]) == 2
    with pytest.raises(InvalidInputError, match="'rows' parameter must be a row number from -4 to 3"):
        explanation[4]


@pytest.mark.parametrize("make", [two_classes, regression])
def test_what_is_stored_comes_back(make, tmp_path):
    explanation = make()
    explanation.save(tmp_path / "e.zip")
    for read in (Explanation.load, TextExplanation.load):
        found = read(tmp_path / "e.zip")
        assert type(found) is TextExplanation
        for name in ("classes", "output_space", "method", "reason", "level", "notes", "kind", "fidelity", "texts"):
            assert getattr(found, name) == getattr(explanation, name), name
        for one, other in zip(found.documents, explanation.documents, strict=True):
            assert (one.words, one.spans, one.sentences, one.notes) == (
                other.words,
                other.spans,
                other.sentences,
                other.notes,
            )
            for name in ("values", "base_values", "outputs"):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert (
                one.standard_errors is None
                or one.values.size == 0
                or (one.standard_errors == other.standard_errors).all()
            )
    assert found.documents[0].standard_errors is None or make is two_classes


def test_unknown_outputs_stay_unknown(tmp_path):
    known = text_values("a", [[1.0]])
    text = TextValues(known.text, known.words, known.spans, known.sentences, known.values, known.base_values)
    explanation = TextExplanation((text,), None, "response", "lime", "asked for", kind="local_linear")
    explanation.save(tmp_path / "e.zip")
    found = TextExplanation.load(tmp_path / "e.zip")
    assert found.documents[0].outputs is None
    assert found.additivity_error is None
    assert found.predictions is None


def test_explanations_of_tables_are_not_texts(tmp_path):
    two_classes().overall().save(tmp_path / "table.zip")
    assert type(Explanation.load(tmp_path / "table.zip")) is Explanation
    with pytest.raises(InvalidInputError, match="holds a 'explanation', not a 'text explanation'"):
        TextExplanation.load(tmp_path / "table.zip")


def test_pages_escape_texts_and_say_values():
    html = regression()._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert 'title="good: −2.00, in 2 places together"' in html  # noqa: RUF001
    assert 'dir="auto"' in html
    assert "± 0.0500" in two_classes()._repr_html_()
    assert regression().examples_html() in html


def test_attention_has_no_sign():
    explanation = replace(two_classes(), kind="attention")
    assert "lowers it" in two_classes().examples_html()
    for html in (explanation.examples_html(), explanation._repr_html_()):
        assert "attention" in html
        assert "lowers it" not in html
    assert plot_text(explanation, ax=Figure().subplots()).get_xlabel() == "attention"


def test_long_texts_are_cut_on_pages():
    words = " ".join(f"w{j}" for j in range(2000))
    html = TextExplanation(
        (text_values(words, np.ones((1, 2000))),) * 30, None, "response", "linear", ""
    ).examples_html(3)
    assert "500 further places of words not shown" in html
    assert "27 further texts not shown" in html


def test_frames_and_shap_forms():
    frame = two_classes().to_local_frame()
    assert frame.columns.tolist() == ["no", "yes", "standard error no", "standard error yes"]
    assert frame.loc[(0, "good"), "yes"] == 0.5
    assert frame.index.names == ["text", "word"]
    found = two_classes().to_shap()
    assert "".join(found.data[0]) == "a good good film"
    np.testing.assert_allclose(found.values[0][:, 1], [-0.1, 0.25, 0.25, -0.2])
    np.testing.assert_allclose(
        [values.sum(axis=0) for values in found.values] + found.base_values, two_classes().predictions
    )
    assert regression().to_shap().values[0].shape == (5,)


def test_history_client_report_and_plots(tmp_path):
    history = RunHistory(tmp_path / "history")
    search = history.start_search("my own", "binary", {"metric": "log_loss"})
    run = {"number": 0, "learner": "tfidf", "config": {}, "loss": 0.5, "metric": "log_loss", "kind": "trial"}
    (run_id,) = history.add_runs(search, [run | {"status": "captured", "why": "", "sample_size": None}])
    client = ExplanationClient.from_run(history.run(run_id))
    client.upload_model_explanation(two_classes(), comment="texts")
    assert type(client.download_model_explanation(comment="texts", raw=True)) is TextExplanation
    with pytest.raises(InvalidInputError, match="'top_k' parameter selects columns of tables. Got TextExplanation"):
        client.download_model_explanation(top_k=2)
    assert [name for name, _ in history.run(run_id).top] == ["good", "😀", "שלום", "a", "film"]
    report = write_report(tmp_path / "report.html", history.runs(search)).read_text(encoding="utf-8")
    assert "Single examples" in report
    assert "<td>4 texts, 6 words</td>" in report
    assert "the most important words are good" in report
    assert "שלום" in report
    assert "Single examples" in write_report(tmp_path / "one.html", regression()).read_text(encoding="utf-8")
    assert len(plot_global_importance(two_classes(), ax=Figure().subplots(), top_k=3).patches) == 3


@pytest.mark.parametrize(
    ("values", "places", "errors", "message"),
    [
        (np.zeros((1, 3)), 2, None, r"must have the shape \(1, 2\).*Got values of shape \(1, 3\)"),
        (np.zeros((1, 2)), 1, None, "places of 1 words"),
        (np.zeros((1, 2)), 2, np.zeros((1, 1)), "standard errors must have the shape"),
    ],
)
def test_shapes_are_checked(values, places, errors, message):
    with pytest.raises(InvalidInputError, match=message):
        TextValues("a b", ("a", "b"), (((0, 1),),) * places, ((0, 3),), values, np.zeros(1), standard_errors=errors)


def test_classes_are_checked():
    with pytest.raises(InvalidInputError, match="Text 0 must have values of 2 outputs, one per class. Got 1"):
        TextExplanation(regression().documents, ("a", "b"), "probability", "kernel", "")
