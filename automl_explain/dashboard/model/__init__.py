"""The model inside the page: a scorer as JSON and packed arrays, which `static/scorer*.js` and `static/shapley*.js` read."""
