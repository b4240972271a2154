"""What the page shows, as JSON and packed arrays."""
