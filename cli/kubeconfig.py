"""Kubeconfig files as files: which there are, reading them, writing one back whole (mode 0600, by rename)."""

import os
import tempfile
from pathlib import Path

import yaml

from apimachinery.types import Json
from cli.session import global_flags
from cli.yaml_output import to_yaml
from client.config import HOME_CONFIG, ConfigError


def paths() -> list[Path]:
    """The files that kubectl would look at, whether they are there or not."""
    if global_flags().kubeconfig:
        return [Path(global_flags().kubeconfig)]
    text = os.environ.get("KUBECONFIG", "") or HOME_CONFIG
    return [Path(part).expanduser() for part in text.split(os.pathsep) if part]


def files() -> list[Path]:
    """Those that are there."""
    return [path for path in paths() if path.exists()]


def default_file() -> Path:
    """Where something new is written: the first that is there, or the last that is named."""
    return next(iter(files()), paths()[-1])


def read(file: Path) -> Json:
    """A file's tree; an empty one when it is not there."""
    if not file.exists():
        return {"apiVersion": "v1", "kind": "Config", "preferences": {}}
    try:
        tree = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"error loading config file {file}: {error}") from error
    return tree or {}


def write(file: Path, tree: Json) -> None:
    """Replaces the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    whole: Json = {"apiVersion": "v1", "kind": "Config", "clusters": None, "contexts": None, "users": None,
             "current-context": "", "preferences": {}} | tree  # fmt: skip
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".kubeconfig-")
    with os.fdopen(descriptor, "w") as out:
        out.write(to_yaml(whole))
    Path(name).replace(file)
