"""What a figure was measured on: without it no figure says anything."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path


def _says(*argv):
    if shutil.which(argv[0]) is None:
        return "none"
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip() or "none"


def memory_gib():
    """Physical memory."""
    line = next(x for x in Path("/proc/meminfo").read_text().splitlines() if x.startswith("MemTotal"))
    return int(line.split()[1]) / 1024**2


def describe():
    """Cores, memory, kernel and versions, in one line."""
    docker = _says("docker", "version", "--format", "{{.Server.Version}}")
    etcd = _says("etcd", "--version").partition("\n")[0].rpartition(" ")[2]
    compiled = ", WITHOUT cached bytecode (PYTHONDONTWRITEBYTECODE)" if sys.dont_write_bytecode else ""
    return (
        f"{os.cpu_count()} cores, {memory_gib():.0f} GiB, {platform.system()} {platform.release()} "
        f"{platform.machine()}, Docker {docker}, etcd {etcd}, Python {platform.python_version()}{compiled}"
    )


def load():
    """The load averages of one, five and fifteen minutes."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())
