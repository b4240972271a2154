"""What is known of a fitted model: its outputs, structure, names and classes."""
