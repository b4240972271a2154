"""`TextExplainer`: the games that the words of a text play, evaluated on bags of words or on masked texts."""
