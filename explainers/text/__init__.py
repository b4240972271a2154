"""Explanations of texts: `TextExplanation`, how texts are cut into words and sentences, and how they are shown."""
