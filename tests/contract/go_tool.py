"""The program of tests/go, which holds upstream's own libraries: built once per run, by Go's cache in about a second."""

import fcntl
import functools
import os
import shutil
import subprocess
from pathlib import Path

from tests import needs

SOURCE = Path(__file__).parent.parent / "go"


def build(tmp_path_factory):
    """The path of the program. The workers of a parallel run build it one after the other."""
    go = shutil.which("go") or needs.program("/usr/local/go/bin/go", "https://go.dev/dl")
    folder = tmp_path_factory.getbasetemp().parent
    program = folder / "pykube-go"
    with (folder / "pykube-go.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists() or not os.environ.get("PYTEST_XDIST_WORKER"):
            subprocess.run([go, "build", "-o", program, "."], cwd=SOURCE, check=True, env=_environment())
    return program


def _environment():
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local"}


def run(program, *arguments):
    """What it prints."""
    return subprocess.run([program, *arguments], check=True, capture_output=True).stdout


@functools.cache
def golden(program, seed):
    """Objects of every kind with random contents, each as (protobuf, JSON), as upstream's library writes them."""
    lines = run(program, "golden", str(seed)).split(b"\n")
    return list(zip(lines[::2], lines[1::2], strict=False))
