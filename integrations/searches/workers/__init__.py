"""Who explains the runs of a search: threads of this process, or the workers of a cluster."""
