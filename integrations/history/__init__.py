"""The run history: runs, their explanations, and the files in which they are kept."""
