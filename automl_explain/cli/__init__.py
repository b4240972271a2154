"""The command line: ``automl-explain COMMAND``.

One file per command, with its arguments, its help and its action; ``_main.py`` holds the table of commands.
"""

from automl_explain.cli._main import main

__all__ = ["main"]
