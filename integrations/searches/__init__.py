"""Code shared by all searches: capture the models while a search runs, explain them when it has ended."""
