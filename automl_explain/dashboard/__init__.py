"""The dashboard: an interactive page of explanations, as a file, from a server and in a notebook."""
