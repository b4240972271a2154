"""Searches as configurations: data, settings, engines, experiments."""
