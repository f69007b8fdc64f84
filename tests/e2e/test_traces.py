"""`down` leaves the machine as `up` found it; `up` says in one sentence what is wrong with a machine."""

import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import PROGRAMS, eventually, make


def shell(command):
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=False).stdout


def traces():
    """What a cluster could leave on the machine, in a form that compares."""
    rules = [line for table in ("nat", "filter", "mangle") for line in shell(f"iptables-save -t {table}").splitlines()]
    return {
        "rules": sorted(line.split(" [")[0] for line in rules if line[:1] in ":-"),
        "containers": sorted(shell("docker ps -q --no-trunc").split()),
        "images": sorted(set(shell("docker images -q --no-trunc").split())),
        "links": sorted(line.split(":")[1].split("@")[0].strip() for line in shell("ip -o link").splitlines()),
        "addresses": sorted(line.split()[3] for line in shell("ip -o -4 addr").splitlines()),
        "routes": sorted(shell("ip route").splitlines()),
        "namespaces": shell("ip netns"),
        "mounts": sorted(line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()),
        "sysctls": {
            name: (Path("/proc/sys") / name).read_text()
            for name in ("net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet")
        },
        "cgroups": sorted(p.name for here in ("", "*/") for p in Path("/sys/fs/cgroup").glob(f"{here}kubepods*")),
        "processes": sorted(
            line for line in shell("ps -eo args").splitlines() if "pykube-" in line or "bootstrap.sup" in line
        ),
    }


OTHER = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": [], "current-context": "mine"}


def test_up_twice_then_down_leaves_no_trace(cluster, tmp_path):
    """Beside the shared cluster: what that one has must stay, too."""
    one = make("traces", tmp_path, 12000, 95)
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(OTHER))
    eventually(lambda: traces() == traces(), why="a quiet machine")
    before, ended = traces(), set(shell("docker ps -aq").split())
    try:
        assert "is ready after" in one.up("--demo").stdout
        again = one.up("--demo")
        assert "was running already" in again.stdout
        assert yaml.safe_load((tmp_path / "kubeconfig").read_text())["current-context"] == f"pykube-{one.name}"
        assert "Ready" in one.kubectl("get", "nodes")
    finally:
        one.down()
    after = traces()
    assert {k: v for k, v in after.items() if v != before[k]} == {}
    assert set(shell("docker ps -aq").split()) <= ended  # the other cluster's kubelet takes dead ones away meanwhile
    assert not one.root.exists()
    assert yaml.safe_load((tmp_path / "kubeconfig").read_text())["current-context"] == "mine"
    assert "nothing to do" in one.down().stdout


@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.5, 3.0, 6.0])
def test_killing_up_anywhere_is_mended_by_up_or_down(tmp_path, seconds, cluster):
    one = make("killed", tmp_path, 14000, 93)
    argv = (str(PROGRAMS / "pykubeadm"), "up", f"--name={one.name}", *one.flags, "--demo")
    with subprocess.Popen(argv, env=one.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as up:
        time.sleep(seconds)  # the moment of the kill is the case
        up.send_signal(signal.SIGKILL)
    try:
        if seconds in (0.8, 3.0):
            one.up()
            assert "Ready" in one.kubectl("get", "nodes")
    finally:
        one.down()
    assert not one.root.exists()
    assert not [line for line in shell("iptables-save").splitlines() if "10.93." in line or "10.193." in line]


def test_a_taken_port_is_one_sentence(tmp_path):
    one = make("taken", tmp_path, 16000, 91)
    port = 6443 + int(one.flags[0].removeprefix("--port-offset="))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        done = one.up(check=False)
    assert done.returncode == 1
    assert f"Port {port} (apiserver) is taken" in done.stderr
    assert "Traceback" not in done.stderr
