"""Takes away everything that a kubelet left on the machine: the node's half of `pykubeadm down`.

Works whether or not a kubelet ever ran, or half of its work is gone already; touches only what carries the cluster's
name, bridge, prefix or folders.
"""

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import docker
from docker import errors

from kubelet.network import bridge as networks
from kubelet.pods import cgroups
from kubelet.runtime import docker_json, pause
from kubelet.volumes import mounts


def clean(
    *,
    cluster_name: str,
    docker_endpoint: str,
    bridge: str,
    chain_prefix: str,
    root_dir: Path,
    log_dir: Path,
    cgroup_parent: str = "",
) -> None:
    """Everything of one cluster on this machine. `docker_endpoint` "" where no Docker answers."""
    if docker_endpoint:
        _containers(cluster_name, docker_endpoint)
    _in_a_loop(lambda: networks.remove(root_dir / "network", bridge=bridge, chain_prefix=chain_prefix))
    if root_dir.exists():
        mounts.unmount_below(root_dir)
    shutil.rmtree(root_dir / "pods", ignore_errors=True)
    shutil.rmtree(root_dir / "network", ignore_errors=True)
    _logs(log_dir)
    if cgroup_parent:
        cgroups.remove_all(cgroup_parent)


def _containers(cluster_name: str, endpoint: str) -> None:
    with contextlib.closing(docker.APIClient(base_url=endpoint, version="auto")) as client:
        mine = {"label": [f"{docker_json.CLUSTER}={cluster_name}"]}
        found = client.containers(all=True, filters=mine)
        # Containers before the sandboxes whose namespaces they live in.
        for row in sorted(found, key=lambda r: r["Labels"].get(docker_json.TYPE) == "podsandbox"):
            with contextlib.suppress(errors.NotFound):
                client.remove_container(row["Id"], force=True, v=True)
        with contextlib.suppress(errors.APIError):  # another cluster's sandboxes use it, or it is gone
            client.remove_image(pause.reference())


def _logs(log_dir: Path) -> None:
    """Links whose log went with its container; folders that are empty then."""
    for name in ("containers", "pods"):
        folder = log_dir / name
        if not folder.is_dir():
            continue
        for path in sorted(folder.rglob("*"), key=lambda p: -len(p.parts)):
            if path.is_symlink() and not path.exists():
                path.unlink()
            elif path.is_dir() and not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.rmdir()
        with contextlib.suppress(OSError):
            folder.rmdir()


def _in_a_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to its end in a thread of its own: the caller may have a loop that runs."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work())
        except (OSError, ValueError, RuntimeError) as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="cleanup")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
