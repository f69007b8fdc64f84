"""The pure parts of pykubeadm, and the supervisor with real processes."""

import asyncio
import os
import signal
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from bootstrap import kubeconfig, pki, supervisor
from bootstrap.preflight import LEAST_FREE, Facts, problems
from bootstrap.processes import Process, processes
from bootstrap.spec import ClusterSpec, Ports, load

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def spec(tmp_path, **fields):
    return ClusterSpec(home=str(tmp_path), node_name="n1", node_ip="192.0.2.2", **fields)


GOOD = Facts(is_root=True, missing_programs=(), etcd="/usr/bin/etcd", taken_ports={}, free_bytes=LEAST_FREE)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        pytest.param({"is_root": False}, "sudo make up", id="not root"),
        pytest.param({"missing_programs": ("iptables",)}, "apt-get install iptables", id="missing program"),
        pytest.param({"etcd": ""}, "etcd-server", id="no etcd"),
        pytest.param({"taken_ports": {"apiserver": 6443}}, "Port 6443 (apiserver) is taken", id="taken port"),
        pytest.param({"free_bytes": 1024}, "make room", id="full disk"),
        pytest.param({"routes": {"10.244.3.0/24": "eth1"}}, "which eth1 uses already", id="overlapping network"),
        pytest.param(
            {"routes": {"10.244.0.0/24": "PyKube cluster a (/tmp/a)"}}, "--pod-cidr, or take that cluster", id="cluster"
        ),
    ],
)
def test_every_obstacle_is_one_sentence_that_says_what_to_do(tmp_path, facts, words):
    base = {field: getattr(GOOD, field) for field in GOOD.__slots__}
    (problem,) = problems(spec(tmp_path), Facts(**base | facts))
    assert words in problem


def test_a_good_machine_has_no_problems(tmp_path):
    assert problems(spec(tmp_path), GOOD) == []


def test_certificates_prove_the_names_upstream_expects(tmp_path):
    cluster = spec(tmp_path)
    pki.ensure(cluster, NOW)
    node = x509.load_pem_x509_certificate((cluster.pki / "node-n1.crt").read_bytes())
    assert node.subject.rfc4514_string() == "CN=system:node:n1,O=system:nodes"
    api = x509.load_pem_x509_certificate((cluster.pki / "apiserver.crt").read_bytes())
    names = api.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)
    assert "10.96.0.1" in map(str, names.get_values_for_type(x509.IPAddress))


def test_keys_are_private_and_nothing_is_made_twice(tmp_path):
    cluster = spec(tmp_path)
    pki.ensure(cluster, NOW)
    keys = list(cluster.pki.rglob("*.key"))
    assert len(keys) == len(pki.leaves(cluster)) + len(pki.AUTHORITIES) + 1
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    before = {key: key.read_bytes() for key in keys}
    pki.ensure(cluster, NOW)
    assert {key: key.read_bytes() for key in keys} == before


OTHER = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "other", "cluster": {"server": "https://x"}}],
    "users": [{"name": "other", "user": {}}],
    "contexts": [{"name": "other", "context": {"cluster": "other", "user": "other"}}],
    "current-context": "other",
}


@pytest.mark.parametrize("before", [pytest.param(OTHER, id="another cluster"), pytest.param(None, id="no file")])
def test_the_users_kubeconfig_comes_back_as_it_was(tmp_path, before):
    cluster, file = spec(tmp_path), tmp_path / "config"
    if before:
        file.write_text(yaml.safe_dump(before))
    pki.ensure(cluster, NOW)
    for _ in range(2):  # a second `up` must not forget what was current before the first
        kubeconfig.merge(cluster, file)
    merged = yaml.safe_load(file.read_text())
    assert merged["current-context"] == "pykube"
    assert len(merged["contexts"]) == (2 if before else 1)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kubeconfig.remove(cluster, file)
    assert (
        (yaml.safe_load(file.read_text()) | {"preferences": None} == before | {"preferences": None})
        if before
        else not file.exists()
    )


def test_two_clusters_share_nothing(tmp_path):
    one = spec(tmp_path)
    two = spec(tmp_path, name="two", ports=Ports.shifted(1000), service_cidr="10.97.0.0/16", pod_cidr="10.245.0.0/16")
    for name in (
        "root",
        "bridge",
        "chain_prefix",
        "cgroup_parent",
        "server",
        "etcd",
        "dns_ip",
        "context",
        "pod_log_dir",
    ):
        assert getattr(one, name) != getattr(two, name), name
    assert len(two.bridge) <= 15
    flags = {flag for process in processes(one, "etcd") for flag in process.argv}
    shared = flags & {flag for process in processes(two, "etcd") for flag in process.argv}
    assert not [flag for flag in shared if str(tmp_path) in flag]


def test_the_spec_survives_its_file(tmp_path):
    cluster = spec(tmp_path, ports=Ports.shifted(5))
    cluster.save()
    assert load("pykube", str(tmp_path)) == cluster
    assert load("other", str(tmp_path)) is None


def test_backoff_doubles_and_a_good_life_forgives():
    waits = [0.0]
    for _ in range(9):
        waits.append(supervisor.next_backoff(waits[-1], lived=0.01))
    assert waits[1:4] == [0.1, 0.2, 0.4]
    assert waits[-1] == 10.0
    assert supervisor.next_backoff(10.0, lived=61) == 0.1


def test_a_log_is_emptied_in_place(tmp_path):
    log = tmp_path / "x.log"
    with log.open("ab") as writer:
        writer.write(b"a" * 100)
        writer.flush()
        assert supervisor.rotate(log, limit=50)
        writer.write(b"b")
        writer.flush()
    assert log.read_bytes() == b"b"
    assert (tmp_path / "x.log.1").read_bytes() == b"a" * 100


SLEEPER = Process(name="sleeper", argv=(sys.executable, "-c", "import signal; signal.pause()"))


async def until(condition):
    async with asyncio.timeout(60):
        while not (found := condition()):
            await asyncio.sleep(0.01)
    return found


async def test_the_supervisor_brings_back_what_dies_and_adopts_what_lives(tmp_path):
    run = tmp_path / "run"

    def running(name="sleeper"):
        found = supervisor.recorded(run, name)
        return found if supervisor.is_alive(found) else None

    supervisor.launch(tmp_path, [SLEEPER])
    first = await until(running)
    os.kill(first.pid, signal.SIGKILL)
    second = await until(lambda: (now := running()) and now.pid != first.pid and now)
    keeper = await until(lambda: running("supervisor"))
    os.kill(keeper.pid, signal.SIGKILL)
    os.waitpid(keeper.pid, 0)
    assert running().pid == second.pid, "the supervisor's death harms nobody"
    supervisor.launch(tmp_path, [SLEEPER])
    await until(lambda: (now := running("supervisor")) and now.pid != keeper.pid)
    assert running().pid == second.pid, "adopted, not started again"
    await supervisor.halt(tmp_path)
    assert not running()
    assert not running("supervisor")


class OldForge:
    """A warm process that was there before the programs were changed: nothing that it starts lives."""

    def __init__(self):
        self.asked = 0

    def start(self, _argv, log):
        self.asked += 1
        return supervisor._spawn(("false",), log)


async def test_what_the_warm_process_cannot_run_is_started_the_ordinary_way(tmp_path):
    for folder in ("run", "logs"):
        (tmp_path / folder).mkdir()
    forge = OldForge()
    one = supervisor.Supervisor(tmp_path, [SLEEPER], forge)
    serving = asyncio.create_task(one.serve())

    def runs():
        found = supervisor.recorded(tmp_path / "run", "sleeper")
        return supervisor.is_alive(found) and b"signal.pause" in Path(f"/proc/{found.pid}/cmdline").read_bytes()

    await until(runs)
    assert forge.asked == 2
    one.stopping.set()
    await serving
