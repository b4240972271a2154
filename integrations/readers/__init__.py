"""One file per library: how its fitted objects are read."""
