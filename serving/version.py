"""/version: v1.34.0, with PyKube's own version behind the plus, where semantic versions keep build metadata."""

import platform
import tomllib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from apimachinery.types import Json

KUBERNETES = "1.34.0"
#: As OpenAPI documents name it.
KUBERNETES_MINOR = KUBERNETES.rpartition(".")[0]


@lru_cache(maxsize=1)
def pykube_version() -> str:
    """The version of the installed distribution, or of the checkout that runs."""
    try:
        return installed("pykube")
    except PackageNotFoundError:
        project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
        return str(project["project"]["version"])


def git_version() -> str:
    """`v1.34.0+pykube-0.1.0`."""
    return f"v{KUBERNETES}+pykube-{pykube_version()}"


def version_info() -> Json:
    """version.Info as v1.34 serves it. Fields about a Go build say what stands in their place here."""
    major, minor, _ = KUBERNETES.split(".")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": git_version(),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"{platform.system().lower()}/{machine}",
    }
