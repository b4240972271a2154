"""
Which words decide
==================

:func:`~automl_explain.plot_text` draws the words of a text. In notebooks an explanation of texts shows coloured texts itself.
"""

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from automl_explain import TextExplainer, plot_text

reviews = [
    "a wonderful film with a clever plot",
    "dull and far too long",
    "great acting, great music",
    "the plot makes no sense",
    "clever, funny, moving",
    "a dull story and poor acting",
    "I laughed and cried",
    "poor sound, no story",
]
pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression(C=20)).fit(
    reviews, ["good", "bad"] * 4
)
explained = TextExplainer(pipeline).explain_local(
    ["a clever story with great acting, but too long and a dull end"]
)

plot_text(explained, 0)
