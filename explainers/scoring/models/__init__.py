"""Models of scoring explainers as data: over coded tables, and as JSON and arrays."""
