"""How numbers, names, tables and HTML are written; the terminal, plots, the report and notebooks all use it."""
