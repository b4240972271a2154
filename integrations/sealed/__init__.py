"""Models in files that only their user can enter, sealed with a key: the spool of worker processes, and models that are kept."""
