"""The index of a run history, an SQLite file: its tables, connections to it, and what is written to it."""
