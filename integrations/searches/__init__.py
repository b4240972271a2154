"""What every search does: capture models while it runs, explain them when it has ended."""
