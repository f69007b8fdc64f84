"""API rates by apibench (Go), against our API server and, in the same run, against the yardstick of echo.py.

Rates wander with the machine; what counts is the multiple of the yardstick: both are measured in the same minutes on
the same cores, with the load generator on them too, and the yardstick sends the very bytes of one of our pods. Clients
ask for gzip, as client-go does; the yardstick's lists are a bare join.
"""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from apimachinery.kinds import PODS
from bench import memory
from bench.report import Row

REPOSITORY = Path(__file__).parent.parent
SOURCES = (REPOSITORY / "apibench", REPOSITORY.parent / "shared/apibench")
COUNT = 2000
WORK = (f"-n={COUNT}", "-gets=10000", "-lists=10", "-c=32", "-watchers=200", "-events=100")
#: The steps shown, with what they are.
STEPS = {
    "create": "pods created",
    "get": "GET of a pod",
    "list": f"LIST of {COUNT} pods, from the cache",
    "list_consistent": f"LIST of {COUNT} pods, consistent",
    "list_selector": f"LIST by label, {COUNT // 50} of {COUNT}",
    "patch": "PATCH (strategic merge)",
    "delete": "DELETE",
    "watch": "events to 200 watchers",
}


def missing():
    """Why the rates cannot be measured; "" when they can."""
    if shutil.which("go") is None:
        return "Go is not installed"
    return "" if any(folder.exists() for folder in SOURCES) else "apibench is not there"


def rows(cluster):
    """A row for each step: our rate, and what part it is of the yardstick's."""
    with tempfile.TemporaryDirectory(prefix="pykube-apibench-") as folder:
        program = built(next(path for path in SOURCES if path.exists()), Path(folder) / "apibench")
        sample = Path(folder) / "pod.json"
        sample.write_bytes(asyncio.run(_sample(cluster)))
        with yardstick(cluster.spec, sample) as url:
            least = _apibench(program, cluster.spec, url)
        ours = _apibench(program, cluster.spec, cluster.spec.server)
    after = memory.total(cluster.spec, ("apiserver",))
    used = Row("memory of the API server after that", after.pss, "MB", note="PSS")
    return [*(_row(what, ours[step], least[step]) for step, what in STEPS.items()), used]


def built(source, program):
    """The Go program of a folder, built."""
    subprocess.run(("go", "build", "-o", program, "."), cwd=source, check=True, capture_output=True)
    return program


async def _sample(cluster):
    """What our server answers for a pod as apibench makes them."""
    env = [{"name": f"SETTING_{i}", "value": "v" * 40} for i in range(12)]
    limits = {"requests": {"cpu": "10m", "memory": "16Mi"}}
    ports = [{"containerPort": 8080, "name": "http"}]
    main = {"name": "main", "image": "example/none:1", "env": env, "resources": limits, "ports": ports}
    labels = {"app": "bench", "tier": "web", "shard": "0"}
    metadata = {"name": "p-000000", "labels": labels, "annotations": {"note": "n" * 200}}
    spec = {"schedulerName": "nobody", "terminationGracePeriodSeconds": 0, "containers": [main]}
    body = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}).encode()
    async with cluster.client() as client:
        answer = await client.request("POST", PODS.path("default"), query={"dryRun": "All"}, body=body)
        return answer.content


def _row(what, ours, least):
    errors = f", {ours['errors']} errors" if ours["errors"] else ""
    multiple = ours["per_s"] / least["per_s"]
    times = f"p50 {ours['p50_ms']:.1f} ms, p99 {ours['p99_ms']:.0f} ms{errors}"
    return Row(what, ours["per_s"], "/s", note=f"{multiple:.2f} x the yardstick's {least['per_s']:,.0f}/s; {times}")


def _apibench(program, spec, url):
    admin = (f"-cert={spec.pki / 'admin.crt'}", f"-key={spec.pki / 'admin.key'}")
    done = subprocess.run((program, f"-server={url}", *admin, *WORK), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@contextmanager
def yardstick(spec, sample):
    """The yardstick's URL within a block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    keys = (spec.pki / "apiserver.crt", spec.pki / "apiserver.key")
    argv = (sys.executable, "-m", "bench.echo", str(port), *keys, str(COUNT), sample)
    with subprocess.Popen(argv, cwd=REPOSITORY) as server:
        try:
            while not _listens(port):
                time.sleep(0.05)
            yield f"https://127.0.0.1:{port}"
        finally:
            server.kill()


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
