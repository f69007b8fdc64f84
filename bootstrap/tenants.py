"""What the clusters of one machine share: their names, and the Docker Engines that we started for them.

All of it lies in /run/pykube, which goes with a reboot as the engines do, and is changed under one lock:
- `cluster-NAME.json`: whose name it is. Bridge, chains, cgroups and containers go by the name, so there is one cluster
  of a name, whatever its home. An entry counts as long as the cluster's folder is there.
- `docker-KEY`: how we started the engine of a socket ("systemd" or "directly"). Whoever uses the engine last stops it.
Source of the idea: /run/containerd, /run/netns.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bootstrap.spec import ClusterSpec


class NameTaken(ValueError):
    """Another cluster of this machine has the name; the text says which one, and what to do."""


class Tenant(msgspec.Struct, frozen=True):
    """A cluster that was made on this machine."""

    home: str
    root: str
    docker_endpoint: str

    @property
    def exists(self) -> bool:
        return (Path(self.root) / "cluster.json").exists()


class Tenants:
    """The clusters and engines of this machine. `folder` and `logs` are arguments for tests alone."""

    def __init__(self, folder: Path = Path("/run/pykube"), logs: Path = Path("/var/log/pykube")) -> None:
        self._folder, self._logs = folder, logs

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else changes anything here, starts or stops an engine meanwhile. An empty folder goes afterwards."""
        lock = self._locked()
        try:
            yield
        finally:
            for folder in (self._folder, self._logs):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            os.close(lock)

    def _locked(self) -> int:
        while True:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), self._folder.stat()):
                    return lock
            os.close(lock)  # whoever had it before took the folder away

    def enter(self, spec: ClusterSpec) -> None:
        """Writes the cluster down, here and in its own folder. Raises NameTaken, and has changed nothing then."""
        with self.alone():
            self.check(spec)
            entry = Tenant(spec.home, str(spec.root), spec.docker_endpoint)
            file = self._of(spec.name)
            temporary = file.with_suffix(".tmp")
            temporary.write_bytes(msgspec.json.encode(entry))
            temporary.rename(file)
            spec.save()

    def check(self, spec: ClusterSpec) -> None:
        """Raises NameTaken where the name is another cluster's."""
        found = _read(self._of(spec.name))
        if found is not None and found.exists and found.root != str(spec.root):
            raise NameTaken(
                f"The name {spec.name} belongs to the cluster in {found.root}: choose another one with --name, or take "
                f"that one away with 'PYKUBE_HOME={found.home} pykubeadm down --name={spec.name}'."
            )

    def leave(self, spec: ClusterSpec) -> None:
        """Forgets a cluster whose folder is gone."""
        with self.alone():
            found = _read(self._of(spec.name))
            if found is not None and found.root == str(spec.root):
                self._of(spec.name).unlink()

    def others(self, spec: ClusterSpec) -> list[Tenant]:
        """The other clusters that use the same Docker Engine."""
        found = [_read(file) for file in self._folder.glob("cluster-*.json")]
        mine = (str(spec.root), spec.docker_endpoint)
        return [one for one in found if one and one.exists and one.root != mine[0] and one.docker_endpoint == mine[1]]

    def engine(self, endpoint: str) -> Path:
        """Where it is written how we started the engine of this socket; no such file: it is not ours."""
        return self._folder / f"docker-{_key(endpoint)}"

    def engine_log(self, endpoint: str) -> Path:
        """The log of an engine of ours: it outlives the cluster that had it started."""
        return self._logs / f"dockerd-{_key(endpoint)}.log"

    def _of(self, name: str) -> Path:
        return self._folder / f"cluster-{name}.json"


def _key(endpoint: str) -> str:
    return hashlib.sha256(endpoint.encode()).hexdigest()[:8]


def _read(file: Path) -> Tenant | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Tenant)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


MACHINE = Tenants()
