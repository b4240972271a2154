"""What every explanation that can be stored offers, and which kinds there are."""
