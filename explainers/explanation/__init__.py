"""The Explanation and what is derived from it: rankings, importance, files, notebook views."""
