"""The tables in the index of a run history, and what is written to them and read."""
