"""`TextExplanation`: the values of the words of several texts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import checked
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._kinds import KINDS
from automl_explain.explainers.explanation._selection import find_rows
from automl_explain.explainers.formatting._names import Nouns
from automl_explain.explainers.text._convert import as_frame, as_shap
from automl_explain.explainers.text._html import examples_html, notebook_html
from automl_explain.explainers.text._storage import load_fields, save_texts
from automl_explain.explainers.text._text_values import ExplainedTexts

if TYPE_CHECKING:
    import pandas as pd
    import shap

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class TextExplanation(ExplainedTexts):
    """Values of the words, or sentences, of n texts. Every text has words of its own, so that the values are ragged.

    Shapley values add up: the base value of a text plus the values of its words is the model's output for it. In a notebook
    the texts are shown with each word in the colour of its value, and the value when the pointer is on the word.

    Parameters
    ----------
    documents : sequence of TextValues
        One per text: its words, where they stand, values (K, P), standard errors, base values and output.
    classes : tuple or None
        Class labels in the order of the values; None for a regression.
    output_space : {"probability", "log_odds", "response", "margin"}
        Unit of the values.
    method, reason : str
        How the values were computed, and why in this way.
    level : {"word", "sentence"}
        What has a value.
    notes : tuple of str
        What readers of the values should know.
    kind : str
        What the values are, as for `Explanation`; only Shapley values add up.
    fidelity : Fidelity or None
        How well a surrogate imitates the model, if the values are those of a surrogate.
    model_kind : {"trial", "refit", "ensemble"} or None
        Role of the model in a search.
    faithfulness : Faithfulness or None
        Measured by removing words and asking the model, if the explainer did so.

    Examples
    --------
    >>> import numpy as np
    >>> from automl_explain import TextExplanation, TextValues
    >>> values, base = np.array([[0.5, -0.1]]), np.array([0.2])
    >>> text = TextValues("good film", ("good", "film"), (((0, 4),), ((5, 9),)), ((0, 9),), values, base)
    >>> explanation = TextExplanation((text,), None, "response", "kernel", "given")
    >>> explanation.get_ranked_global_names(), explanation.to_local_frame().value.tolist()
    (['good', 'film'], [0.5, -0.1])
    """

    is_raw = True

    @property
    def nouns(self) -> Nouns:
        """Words for what is explained: texts, and words or sentences.

        Returns
        -------
        Nouns
            Singular nouns.
        """
        return Nouns("text", self.level)

    members = None

    # ------------------------------------------------------------------ shape

    @property
    def num_examples(self) -> int:
        """Number of texts."""
        return len(self.documents)

    @property
    def num_features(self) -> int:
        """Number of distinct words in all texts."""
        return len(self.feature_labels)

    @property
    def is_classification(self) -> bool:
        """Whether there are values per class."""
        return self.classes is not None

    @property
    def is_additive(self) -> bool:
        """Whether base value plus values are the model's output."""
        return KINDS[self.kind].is_additive

    @property
    def unit(self) -> str:
        """Unit of the values: `output_space`."""
        return self.output_space

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts."""
        return tuple(document.text for document in self.documents)

    @property
    def expected_values(self) -> Values:
        """Mean output of the texts without their words, (C,), or (1,) for a regression."""
        bases = [document.base_values for document in self.documents]
        return np.asarray(np.mean(bases or [np.zeros(self.num_outputs)], axis=0))

    @property
    def predictions(self) -> Values | None:
        """Outputs of the texts, (n, C) or (n, 1); None if they are not known."""
        outputs = [document.outputs for document in self.documents if document.outputs is not None]
        return np.array(outputs) if outputs and len(outputs) == len(self.documents) else None

    @property
    def additivity_error(self) -> float | None:
        """Largest gap between base value plus values and an output; None if outputs are not known or values do not add up."""
        gaps = [gap for document in self.documents if (gap := document.additivity_gap) is not None]
        return max(gaps) if gaps and self.is_additive else None

    # ----------------------------------------------------------------- global

    def overall(self) -> Explanation:
        """Return the global ranking of words as an `Explanation`: the mean absolute value over all texts, also per class.

        A word has the value 0 in texts without it. Sentences and occurrences of words are ranked as they are written.

        Returns
        -------
        Explanation
            With a feature per word, without values of rows.
        """
        return self._overall

    @cached_property
    def _overall(self) -> Explanation:
        names, columns = self._columns
        total = np.zeros((len(self.expected_values), len(names)))
        for document, places in zip(self.documents, columns, strict=True):
            found, place = np.unique(places, return_inverse=True)  # occurrences of a word are added up
            total[:, found] += np.abs(_summed(document.values, place, len(found)))
        per_class = total / max(1, len(self.documents))
        return Explanation(
            local_importance_values=None,
            expected_values=self.expected_values,
            features=names,
            classes=self.classes,
            output_space=self.output_space,
            method=self.method,
            reason=self.reason,
            is_raw=True,
            notes=self.notes,
            model_kind=self.model_kind,
            fidelity=self.fidelity,
            kind=self.kind,
            global_values=per_class.mean(axis=0),
            class_values=None if self.classes is None else per_class,
        )

    @cached_property
    def _columns(self) -> tuple[tuple[str, ...], list[npt.NDArray[np.intp]]]:
        """All distinct words, and the number of the word of each player of each text."""
        number: dict[str, int] = {}
        columns = [
            np.array([number.setdefault(word, len(number)) for word in document.words], np.intp)
            for document in self.documents
        ]
        return tuple(number), columns

    @cached_property
    def local_importance_values(self) -> Values:
        """Values over all distinct words, 0 where a text lacks a word: (n, f), or (C, n, f) for a classification."""
        names, columns = self._columns
        values = np.zeros((len(self.expected_values), len(self.documents), len(names)))
        for row, (document, places) in enumerate(zip(self.documents, columns, strict=True)):
            values[:, row] = _summed(document.values, places, len(names))
        return values if self.is_classification else values[0]

    @property
    def features(self) -> tuple[str, ...]:
        """The distinct words of all texts, in the order in which they occur."""
        return self._columns[0]

    feature_labels = features

    @property
    def global_importance_values(self) -> Values:
        """Mean absolute value of each distinct word, (f,)."""
        return self._overall.global_importance_values

    @property
    def per_class_values(self) -> Values:
        """Mean absolute value of each distinct word for each class, (C, f)."""
        return self._overall.per_class_values

    @checked
    def get_ranked_global_names(self, top_k: int | None = None) -> list[Any]:
        """Return the words, most important first.

        Parameters
        ----------
        top_k : int, optional
            Words returned. Default: all.

        Returns
        -------
        list of str
            As written in the texts.
        """
        return self._overall.get_ranked_global_names(top_k)

    @checked
    def get_ranked_global_values(self, top_k: int | None = None) -> Values:
        """Return the importance of the words, descending.

        Parameters
        ----------
        top_k : int, optional
            Words returned. Default: all.

        Returns
        -------
        ndarray of shape (f,)
            Mean absolute values over all texts, in units of `output_space`.
        """
        return self._overall.get_ranked_global_values(top_k)

    @checked
    def get_ranked_per_class_names(self, top_k: int | None = None) -> npt.NDArray[Any]:
        """Return the words of each class, most important first, (C, f).

        Parameters
        ----------
        top_k : int, optional
            Words returned of each class. Default: all.

        Returns
        -------
        ndarray of shape (C, f)
            As written in the texts.
        """
        return self._overall.get_ranked_per_class_names(top_k)

    @checked
    def get_ranked_per_class_values(self, top_k: int | None = None) -> Values:
        """Return the importance of the words of each class, each row descending, (C, f).

        Parameters
        ----------
        top_k : int, optional
            Words returned of each class. Default: all.

        Returns
        -------
        ndarray of shape (C, f)
            Mean absolute values over all texts.
        """
        return self._overall.get_ranked_per_class_values(top_k)

    # ------------------------------------------------------------------ parts

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, rows: Any) -> TextExplanation:
        """Return the explanation of some texts: an int, a slice, a list of numbers or a mask."""
        chosen = find_rows(rows, len(self.documents))
        assert chosen is not None
        return replace(self, documents=tuple(self.documents[row] for row in chosen))

    def __iter__(self) -> Iterator[TextExplanation]:
        """Iterate over the texts, each as an explanation of one text."""
        return (self[row] for row in range(len(self.documents)))

    # ------------------------------------------------------------ other forms

    def to_frame(self) -> pd.DataFrame:
        """Return the importance of the words of all texts, most important first: a column overall, and one per class.

        Returns
        -------
        DataFrame
            A row per word, indexed by it; the columns are "overall" and the classes, in `output_space` units.
        """
        return self.overall().to_frame()

    def to_local_frame(self) -> pd.DataFrame:
        """Return a row per text and word: the index has both, the columns are the values of each class, and their errors.

        Returns
        -------
        DataFrame
            Values in units of `output_space`.
        """
        return as_frame(self.documents, self.classes)

    def to_shap(self) -> shap.Explanation:
        """Return a `shap.Explanation` for shap's text plots: pieces of the texts in reading order, values (pieces, C).

        The value of a word is divided equally among the places in which it stands, so that the sums stay the same.

        Returns
        -------
        shap.Explanation
            For shap's pictures of texts.
        """
        return as_shap(self.documents, self.classes)

    @checked
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the explanation to one file, without pickle; `load` reads it back, and so does `Explanation.load`.

        Parameters
        ----------
        path : path-like
            File to write.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        save_texts(path, self)

    @staticmethod
    @checked
    def load(path: str | os.PathLike[str]) -> TextExplanation:
        """Read an explanation of texts that `save` wrote.

        Parameters
        ----------
        path : path-like
            What `save` wrote.

        Returns
        -------
        TextExplanation
            The explanation that was saved.

        Raises
        ------
        InvalidInputError
            If the file does not hold one.
        FormatVersionError
            If a newer version of automl-explain wrote it.
        """
        return TextExplanation(**load_fields(path))

    @checked
    def examples_html(self, most: int = 6) -> str:
        """Return the first `most` texts as HTML, each word in the colour of its value; everything in them is escaped.

        Parameters
        ----------
        most : int, default 6
            Texts shown.

        Returns
        -------
        str
            A piece of HTML that loads nothing.
        """
        return examples_html(self, most)

    def _repr_html_(self) -> str:
        return notebook_html(self)


def _summed(values: Values, places: npt.NDArray[np.intp], size: int) -> Values:
    """Return the sums (K, size) of the values (K, P) that share a place."""
    return np.array([np.bincount(places, each, size) for each in values])
