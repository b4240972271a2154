"""One module per outside library: how its fitted objects are read, where its search is tapped, where runs are kept."""
