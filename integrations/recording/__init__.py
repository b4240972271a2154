"""A search in the history while it goes on: its runs as their trials end, and what happens if its process ends."""
