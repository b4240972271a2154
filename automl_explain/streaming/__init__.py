"""Explanations of files that are larger than memory."""
