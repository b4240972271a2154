"""Other users of the machine, as whom a test that runs as root lets a shell do things."""

import os
import shutil
import subprocess

import pytest

STRANGER, GROUP = 65534, 60123
"""The number of another user, and that of a group of which the users of a shared folder are members."""

needs_users = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0 or not shutil.which("setpriv"),
    reason="root can act as two users",
)


def as_other(script, folder, *, groups=()):
    """Run a shell script in a folder as another user, and return its exit code and what it wrote."""
    member = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    line = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", member, "sh", "-c", script]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr
