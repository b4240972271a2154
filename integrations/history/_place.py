"""Where the run history of a user is."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT = "AUTOML_EXPLAIN_HISTORY"
"""Environment variable with the default directory."""
ELSEWHERE = f"Name another directory with --history DIR, RunHistory(DIR), or ${ENVIRONMENT}."
"""What to do where a history cannot be written."""


def default_directory() -> Path:
    """Return the default directory of the history: $AUTOML_EXPLAIN_HISTORY, otherwise in the user's data folder."""
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_data_dir("automl-explain", appauthor=False)) / "history"
