"""The model inside the page: a scoring explainer as JSON, which the scripts `static/scorer*.js` and `static/shapley*.js` read."""
