"""PFIExplainer: how much worse a model scores when a column is shuffled."""
