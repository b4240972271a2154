"""Models of texts whose answers are no outputs of all texts are refused with what they answered."""

import numpy as np
import pytest

from automl_explain import InvalidInputError, TextExplainer


class Answers:
    """A classifier of two labels with the answers of a function."""

    classes_ = np.array([0, 1])

    def __init__(self, answers):
        self.predict_proba = answers


def scored(*names):
    return [{"label": name, "score": 1 / len(names)} for name in names]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Answers(lambda texts: np.full(len(texts), 0.5)), "Answers must return 2 outputs per row. Got 1"),
        (lambda texts: np.empty((len(texts), 0)), "must return numbers for each row. Got 0"),
        (lambda texts: [np.nan if "film" not in text else 1.0 for text in texts], "NaN or infinite in response"),
        (lambda texts: [1.0 if "film" in text or len(text) < 2 else np.nan for text in texts], "for masked texts"),
        (lambda texts: [[{"label": "yes"}] for _ in texts], "labels with scores, such as .*Got {'label': 'yes'}"),
        (
            lambda texts: [scored("yes", "no" if len(text) < 9 else "maybe") for text in texts],
            r"the same labels for all texts. Got \['maybe', 'yes'\], and \['no', 'yes'\] for other texts",
        ),
    ],
    ids=["one column", "no column", "NaN", "NaN without a word", "no scores", "other labels"],
)
def test_answers_that_are_no_outputs_of_all_texts(model, said):
    with pytest.raises(InvalidInputError, match=said):
        TextExplainer(model).explain_local("a good film")
