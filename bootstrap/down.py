"""Takes a cluster away: processes, containers, networks, rules, mounts, files; and nothing that was not ours.

Works on any remains, also those of a run that was killed: every step looks for what it should remove. The cluster's
folder goes last, so that a `down` that is killed itself can be run again.
"""

import asyncio
import shutil

from bootstrap import docker_engine, images, kubeconfig, supervisor
from bootstrap.progress import Progress
from bootstrap.spec import ClusterSpec
from bootstrap.tenants import MACHINE
from dns.address import remove as remove_dns_address
from kubelet.cleanup import clean as clean_node
from kubeproxy.cleanup import clean as clean_rules


async def down(spec: ClusterSpec, progress: Progress) -> None:
    """Removes the cluster.

    Raises OSError where something resists (a mount in use, say), NameTaken where the name is another cluster's.
    """
    MACHINE.check(spec)
    with progress.step("Processes stopped"):
        await supervisor.halt(spec.root)
    with progress.step("Containers, network and mounts") as step:
        has_docker = await docker_engine.answers_again(spec)
        step.result = "" if has_docker else "no Docker answers: what its containers are is not known"
        clean_node(
            cluster_name=spec.name,
            docker_endpoint=spec.docker_endpoint if has_docker else "",
            bridge=spec.bridge,
            chain_prefix=spec.chain_prefix,
            root_dir=spec.node_dir,
            log_dir=spec.pod_log_dir,
            cgroup_parent=spec.cgroup_parent,
        )
    with progress.step("Service rules and DNS address"):
        clean_rules(spec.chain_prefix, spec.run / "sysctl.json")
        await asyncio.to_thread(remove_dns_address, spec.dns_ip)  # netlink brings an event loop of its own
    with progress.step("Docker Engine") as step:
        if has_docker:
            images.remove_built(spec)
        step.result = "stopped" if await docker_engine.stop_ours(spec) else "left as it is"
    with progress.step("kubeconfig and files"):
        kubeconfig.remove(spec, kubeconfig.user_file())
        shutil.rmtree(spec.root)
        MACHINE.leave(spec)
