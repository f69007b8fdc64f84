"""Kubeconfig files: one per component, and the user's own, into which a cluster is merged and taken out again.

The merge is as kind's: cluster, user and context are called the same, the context becomes current. What was current
is remembered in the cluster's folder, so that `remove` gives the file back as it was. Writing is atomic and keeps
mode 0600.
"""

import os
from base64 import b64encode
from pathlib import Path

import yaml

from apimachinery.types import Json
from bootstrap.spec import ClusterSpec

#: The component's kubeconfig -> its certificate under pki/.
COMPONENTS = ("admin", "controller-manager", "scheduler", "proxy", "dns", "local-path")


def user_file() -> Path:
    """The file to merge into: the first of $KUBECONFIG, else ~/.kube/config."""
    listed = [part for part in os.environ.get("KUBECONFIG", "").split(":") if part]
    return Path(listed[0]) if listed else Path.home() / ".kube/config"


def write_components(spec: ClusterSpec) -> None:
    """Writes `kubeconfig/NAME.yaml` for every component and for the node."""
    folder = spec.root / "kubeconfig"
    folder.mkdir(exist_ok=True, mode=0o700)
    for component in (*COMPONENTS, f"node-{spec.node_name}"):
        _write(folder / f"{component}.yaml", render(spec, component))


def path(spec: ClusterSpec, component: str) -> Path:
    """Where a component's kubeconfig lies."""
    return spec.root / "kubeconfig" / f"{component}.yaml"


def render(spec: ClusterSpec, component: str) -> Json:
    """A kubeconfig with everything inline, so that the file can be copied to another machine."""
    name = spec.context
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": _cluster(spec)}],
        "users": [{"name": name, "user": _user(spec, component)}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "preferences": {},
    }


def _cluster(spec: ClusterSpec) -> Json:
    return {"server": spec.server, "certificate-authority-data": _data(spec.pki / "ca.crt")}


def _user(spec: ClusterSpec, component: str) -> Json:
    return {
        "client-certificate-data": _data(spec.pki / f"{component}.crt"),
        "client-key-data": _data(spec.pki / f"{component}.key"),
    }


def _data(file: Path) -> str:
    return b64encode(file.read_bytes()).decode()


def merge(spec: ClusterSpec, file: Path) -> None:
    """Adds the cluster to the user's file and makes it current; what was current is remembered once."""
    existing = _read(file)
    remembered = spec.root / "previous-context"
    if not remembered.exists():
        remembered.write_text(existing.get("current-context", "") if file.exists() else "\0")
    _write(file, _merged(existing, render(spec, "admin")))


def _merged(existing: Json, ours: Json) -> Json:
    result = {"apiVersion": "v1", "kind": "Config", "preferences": {}} | existing
    for section in ("clusters", "users", "contexts"):
        name = ours[section][0]["name"]
        others = [entry for entry in existing.get(section) or [] if entry.get("name") != name]
        result[section] = others + ours[section]
    return result | {"current-context": ours["current-context"]}


def remove(spec: ClusterSpec, file: Path) -> None:
    """Takes the cluster out; the context that was current before comes back, a file that was not there goes."""
    if not file.exists():
        return
    remembered = spec.root / "previous-context"
    previous = remembered.read_text() if remembered.exists() else ""
    existing = _read(file)
    for section in ("clusters", "users", "contexts"):
        kept = [entry for entry in existing.get(section) or [] if entry.get("name") != spec.context]
        existing[section] = kept
    if previous == "\0" and not existing["contexts"] and not existing["clusters"]:
        file.unlink()
        return
    if existing.get("current-context") == spec.context:
        existing["current-context"] = previous.strip("\0")
    _write(file, existing)


def _read(file: Path) -> Json:
    try:
        loaded = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        return {}
    except yaml.YAMLError as error:
        message = f"{file} is not a readable kubeconfig: {error}. Mend it, or set KUBECONFIG to another file."
        raise ValueError(message) from error
    return loaded if isinstance(loaded, dict) else {}


def _write(file: Path, config: Json) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(f"{file}.pykube-tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        yaml.safe_dump(config, out, sort_keys=False)
    temporary.rename(file)
