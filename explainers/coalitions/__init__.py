"""The game that a model plays: which coalitions are evaluated, and what each is worth."""
