"""The machine reboots: processes, containers, mounts, network devices, rules and cgroups are gone, disks are not.

Simulated, since the machine of the tests goes on: what a reboot takes is taken by hand, whatever a cluster has of it.
"""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

from bootstrap.spec import load
from kubelet.network import iptables, links
from kubelet.pods import cgroups
from kubelet.volumes import mounts
from kubeproxy.cleanup import clean as clean_rules
from tests import needs
from tests.e2e.conftest import eventually, make
from tests.e2e.test_faults import COMPONENTS
from tests.e2e.test_kubectl import got
from tests.e2e.test_pods import IMAGE, output, put
from tests.e2e.test_storm import leftovers

SCRIPT = "grep -q ' /memory tmpfs ' /proc/mounts && cat /secret/key && echo && touch /memory/x && sleep 1000"


def power_off(one):
    """All that a reboot takes from a cluster."""
    pids = [one.pid(component) for component in ("supervisor", *(c for c in COMPONENTS if c != "supervisor"))]
    for pid in pids:  # the supervisor first: it would start the others again
        os.kill(pid, signal.SIGKILL)
    spec = load(one.name, str(one.home))
    running = output("docker", "ps", "-q", "--filter", f"label=io.pykube.cluster={one.name}").split()
    subprocess.run(("docker", "kill", *running), capture_output=True, check=True)
    mounts.unmount_below(one.root)
    asyncio.run(asyncio.to_thread(links.remove_bridge, spec.bridge))
    asyncio.run(iptables.remove(spec.chain_prefix))
    clean_rules(spec.chain_prefix, spec.run / "sysctl.json")
    cgroups.remove_all(spec.cgroup_parent)
    for pid in pids:
        eventually(lambda pid=pid: not Path(f"/proc/{pid}/exe").exists(), why="the end of a process")


def ready(one):
    """Of every pod that is ready: its container's id and restart count."""
    rows = {}
    for pod in one.get("pods", "-A")["items"]:
        (status, *_) = pod["status"].get("containerStatuses", [{}])
        if status.get("ready"):
            rows[pod["metadata"]["uid"]] = (status["containerID"], status["restartCount"])
    return rows


def test_a_reboot(docker_socket, tmp_path):
    needs.program("kubectl")
    one = make("reboot", tmp_path, 20500, 85)
    try:
        one.up("--demo")
        one.kubectl("create", "secret", "generic", "s", "--from-literal=key=told")
        volumes = [
            {"name": "memory", "emptyDir": {"medium": "Memory"}},
            {"name": "secret", "secret": {"secretName": "s"}},
        ]
        wanted = [{"name": v["name"], "mountPath": f"/{v['name']}"} for v in volumes]
        main = {"volumeMounts": wanted, "ports": [{"containerPort": 80, "hostPort": 31777}]}
        put(
            one,
            "default",
            "mounts",
            command=["sh", "-c", SCRIPT],
            container=main,
            volumes=volumes,
            restartPolicy="Always",
        )
        put(one, "default", "once", command=["sleep", "1000"])
        one.kubectl("wait", "pod", "mounts", "once", "--for=condition=Ready", "--timeout=60s")
        eventually(lambda: one.kubectl("logs", "mounts") == "told\n", seconds=60, why="the pod's first words")
        before, there = ready(one), leftovers(one)
        power_off(one)
        one.up()

        def is_back():
            now = ready(one)
            counts = {uid: count for uid, (_, count) in now.items() if before[uid][0] != now[uid][0]}
            return len(counts) == len(before) - 1 and set(counts.values()) == {1}  # `once` has failed

        eventually(is_back, seconds=90, why="every pod, restarted once")
        once = one.get("pod", "once")["status"]
        assert (once["phase"], once["containerStatuses"][0]["state"]["terminated"]["exitCode"]) == ("Failed", 137)
        eventually(lambda: one.kubectl("logs", "mounts") == "told\n", seconds=60, why="the pod's words")
        address = one.get("service", "web")["spec"]["clusterIP"]
        eventually(
            lambda: "PyKube" in got(one, "default", "mounts", f"http://{address}"), why="the page of the service"
        )
        eventually(lambda: shape(leftovers(one)) == shape(there, less=1), seconds=60, why="no more than before")
        one.kubectl("run", "later", f"--image={IMAGE}", "--image-pull-policy=Never")
        one.kubectl("wait", "pod/later", "--for=condition=Ready", "--timeout=60s")
    finally:
        one.down()


def shape(found, less=0):
    """How many there are of what every pod that runs has; `less` have ended since."""
    return {name: len(found[name]) - less for name in ("addresses", "links")} | {"rules": len(found["rules"])}
