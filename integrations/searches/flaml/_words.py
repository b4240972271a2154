"""FLAML's `AutoML` over tables with columns of texts, whose words are counted before FLAML sees the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_explain.integrations.searches._plain_names import LEARNERS as PLAIN_LEARNERS
from automl_explain.integrations.searches._word_columns import WordColumns


class CountsWords:
    """Mixin for FLAML's `AutoML` that takes rows with texts, and gives FLAML columns of words.

    Attributes
    ----------
    word_parents_ : dict
        The column of texts that each column of a word comes from; empty if no words are counted.
    """

    word_parents_: dict[str, str] = {}  # noqa: RUF012 - replaced by each fit
    _words: WordColumns | None = None
    _learner_names: dict[type, str]

    if TYPE_CHECKING:

        def add_learner(self, learner_name: str, learner_class: type) -> None:
            """Add a learner, as FLAML does."""

    def predict(self, X: Any, **settings: Any) -> Any:
        """Return predictions, as FLAML does.

        Parameters
        ----------
        X : table
            Rows in the columns of the training table, texts included.
        **settings : object
            Passed to FLAML.

        Returns
        -------
        numpy.ndarray of shape (n,)
            Predicted values or labels.
        """
        return super().predict(self._with_words(X), **settings)  # type: ignore[misc]  # of FLAML

    def predict_proba(self, X: Any, **settings: Any) -> Any:
        """Return probabilities, as FLAML does.

        Parameters
        ----------
        X : table
            Rows in the columns of the training table, texts included.
        **settings : object
            Passed to FLAML.

        Returns
        -------
        numpy.ndarray of shape (n, C)
            A probability for each class.
        """
        return super().predict_proba(self._with_words(X), **settings)  # type: ignore[misc]  # of FLAML

    def score(self, X: Any, y: Any, **settings: Any) -> Any:
        """Return the score of FLAML's model.

        Parameters
        ----------
        X : table
            Rows in the columns of the training table, texts included.
        y : array_like of shape (n,)
            True values or labels.
        **settings : object
            Passed to FLAML.

        Returns
        -------
        float
            Accuracy of a classifier, R2 of a regressor, unless `settings` name another metric.
        """
        return super().score(self._with_words(X), y, **settings)  # type: ignore[misc]  # of FLAML

    def preprocess(self, X: Any) -> Any:
        """Return rows as FLAML's learners take them.

        Parameters
        ----------
        X : table
            Rows in the columns of the training table, texts included.

        Returns
        -------
        table
            The rows, with a column for each word counted instead of the texts.
        """
        return super().preprocess(self._with_words(X))  # type: ignore[misc]

    def _with_words(self, X: Any) -> Any:
        return X if self._words is None else self._words.transform(X)

    def _count_words(self, columns: Any, X_train: Any, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the tables of a fit with a column per word in the place of each column of texts."""
        self._words, self.word_parents_ = None, {}
        if columns is None:
            return X_train, settings
        self._words = WordColumns(X_train, columns)
        if not self._words.columns:
            return X_train, settings
        self.word_parents_ = self._words.parents
        for name, learner in PLAIN_LEARNERS.items():  # the names of words are none that LightGBM takes
            if name not in self._learner_names.values():
                self.add_learner(name, learner)
        if settings.get("X_val") is not None:
            settings = {**settings, "X_val": self._words.transform(settings["X_val"])}
        return self._words.training_rows, settings
