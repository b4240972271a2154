"""Pictures of explanations, on matplotlib axes."""
