"""The model inside the page: a scorer as JSON and packed arrays, which the modules of `static/model/` read."""
