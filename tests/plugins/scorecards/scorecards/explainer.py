"""An explainer: it returns an `Explanation`, which every plot and page takes."""

import numpy as np

from automl_explain import Explanation


class PointsExplainer:
    """Points of a row beyond those of a typical one, the median of each column."""

    def __init__(self, card, background):
        self.card, self.typical = card, background[list(card.points)].median()

    def explain_local(self, rows):
        """Return the points of each row. They add up from the typical score."""
        columns = list(self.card.points)
        points = np.array(list(self.card.points.values()))
        typical = self.typical.to_numpy()
        return Explanation(
            local_importance_values=(rows[columns].to_numpy() - typical) * points,
            expected_values=np.array([self.card.start + typical @ points]),
            features=tuple(columns),
            classes=None,
            output_space="response",
            method="points",
            reason="points of a scorecard beyond those of the median row",
            predictions=self.card.predict(rows)[:, None],
        )
