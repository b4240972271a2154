"""Search engines: one module per engine, found by the table in `_registry.py`."""
