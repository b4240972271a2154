"""The plan of explaining the runs of a search: what each costs, and which time it may take."""
