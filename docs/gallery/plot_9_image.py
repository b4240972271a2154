"""
What decides in an image
========================

:func:`~automl_explain.plot_image` draws the values of segments over the image: blue speaks for a class, orange against it.
Classes have one scale.
"""

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from automl_explain import ImageExplainer, plot_image

digits = load_digits()
forest = RandomForestClassifier(100, random_state=0).fit(
    digits.data[:1500], digits.target[:1500]
)
explained = ImageExplainer(forest, n_segments=16, absent="mean").explain_local(
    digits.images[1510:1512]
)

plot_image(explained[0])
