"""Where runs and their explanations are kept, and how a run is looked up."""
