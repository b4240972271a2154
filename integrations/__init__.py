"""Integrations with outside libraries: readers of fitted objects, taps on searches, and the run history."""
