"""A thousand damaged files: each is refused with one typed error, or read and used as a sound one, in no time and memory.

In full: ``AUTOML_EXPLAIN_RELIABILITY=full pytest -n 0 -m slow tests/reliability/test_damaged_bundles.py``.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

import automl_explain as ax
from tests.reliability import damage
from tests.reliability.trials import tried

N_FILES = 1000 if os.environ.get("AUTOML_EXPLAIN_RELIABILITY") == "full" else 200
SECONDS, MB = 3.0, 500.0
"""What reading a file and using it may take."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
_whole = {}


def one_file(trial):
    """Damage a file, and return a function that reads it, uses what it holds, and says how that ended."""
    folder = Path(tempfile.gettempdir()) / f"damaged-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    if not _whole:
        _whole.update(damage.whole_files(folder))
        for name, members in _whole.items():  # kernels are compiled, libraries are loaded
            use(name, damage.packed(members), folder)
    name, number = trial
    content, said = damage.damaged(_whole[name], np.random.default_rng(number))

    def timed():
        try:
            use(name, content, folder)
        except ax.AutoMLExplainError:
            return "refused"
        except Exception as error:
            return f"{type(error).__name__}: {error} ({said})"
        return "used" + (f" {said}" if os.environ.get("SHOW_USED") else "")

    return timed


def use(name, content, folder):
    path = folder / f"{name}.zip"
    path.write_bytes(content)
    damage.use(path, is_scorer=name in SCORERS)


EXPLANATIONS = ("frame", "sparse", "members", "objects", "texts", "images", "mimic", "lime", "network", "global")
SCORERS = ("trees", "line", "kernel")


def test_whole_files_are_used(tmp_path):
    for name, members in damage.whole_files(tmp_path).items():
        use(name, damage.packed(members), tmp_path)


def test_damaged_files_are_refused_or_harmless():
    names = [*EXPLANATIONS, *SCORERS]
    ended = list(tried(one_file, [(names[number % len(names)], number) for number in range(N_FILES)]))
    assert [one for one in ended if one.outcome not in ("refused", "used")] == []
    assert [one for one in ended if one.seconds > SECONDS or one.mb > MB] == []
    assert sum(one.outcome == "refused" for one in ended) > 0.5 * len(ended)
