"""An explainer of its own: what it returns is an `Explanation`, so every plot, page and file takes it."""

import numpy as np

from automl_explain import Explanation


class PointsExplainer:
    """Points of a row beyond those of a typical row, which is the median of each column."""

    def __init__(self, card, background):
        self.card, self.typical = card, background[list(card.points)].median()

    def explain_local(self, rows):
        """Return the points of each row: they add up, from the score of the typical row."""
        columns = list(self.card.points)
        points = np.array(list(self.card.points.values()))
        return Explanation(
            local_importance_values=(rows[columns].to_numpy() - self.typical.to_numpy()) * points,
            expected_values=np.array([self.card.start + self.typical.to_numpy() @ points]),
            features=tuple(columns),
            classes=None,
            output_space="response",
            method="points",
            reason="points of a scorecard beyond those of the median row",
            predictions=self.card.predict(rows)[:, None],
        )
