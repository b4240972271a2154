"""What the runs of a search teach together, and what differs between two explanations."""
