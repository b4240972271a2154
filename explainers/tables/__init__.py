"""Tables as users give them, read once into one form."""
