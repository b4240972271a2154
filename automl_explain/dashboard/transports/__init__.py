"""How the page asks Python for predictions and explanations: over HTTP, and as a notebook widget."""
