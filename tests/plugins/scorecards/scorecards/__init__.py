"""A small library of models: a scorecard gives each column points and adds them."""

import numpy as np


class Scorecard:
    """A sum of points per unit of each column."""

    def __init__(self, points, start=0.0):
        self.points, self.start = dict(points), start

    def predict(self, table):
        """Return the points of each row."""
        cells = np.asarray(table[list(self.points)], dtype=float)
        return self.start + cells @ list(self.points.values())
