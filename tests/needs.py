"""What a test needs of the machine: without it a test is skipped, but never where CI=true, where it must be there."""

import os
import shutil

import pytest

#: Before the words of a server that a test starts: it ends with the thread that started it, even of tests that are killed.
WITH_US = ("setpriv", "--pdeathsig=KILL")


def program(name, hint="make test installs it"):
    """The path of a program (a name on PATH, or a path)."""
    found = shutil.which(name)
    if found is None:
        hint = "put a kubectl of 1.27 to 1.34 on PATH" if name == "kubectl" else hint
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{name} is not here: {hint}")
    return found
