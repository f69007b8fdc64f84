"""API rates by apibench (Go), against our API server and, in the same run, against the yardstick of echo.py.

Rates wander with the machine; what counts is the multiple of the yardstick: both are measured in the same minutes on
the same cores, with the load generator on them too.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from bench.report import Row

REPOSITORY = Path(__file__).parent.parent
SOURCES = (REPOSITORY / "apibench", REPOSITORY.parent / "shared/apibench")
PODS = 1000
WORK = (f"-n={PODS}", "-gets=5000", "-lists=10", "-c=16")
#: The steps shown, with what they are. Those of the second group have no meaning for a server that keeps nothing.
STEPS = {
    "create": "pods created",
    "get": "GET of a pod",
    "list": f"LIST of {PODS} pods, from the cache",
    "list_consistent": f"LIST of {PODS} pods, consistent",
    "list_selector": f"LIST by label, 20 of {PODS}",
    "patch": "PATCH (strategic merge)",
    "delete": "DELETE",
}


def missing():
    """Why the rates cannot be measured; "" when they can."""
    if shutil.which("go") is None:
        return "Go is not installed"
    return "" if any(folder.exists() for folder in SOURCES) else "apibench is not there"


def rows(cluster):
    """A row for each step: our rate, and what part it is of the yardstick's."""
    with tempfile.TemporaryDirectory(prefix="pykube-apibench-") as folder:
        program = Path(folder) / "apibench"
        source = next(path for path in SOURCES if path.exists())
        subprocess.run(("go", "build", "-o", program, "."), cwd=source, check=True, capture_output=True)
        with yardstick(cluster.spec) as url:
            least = _apibench(program, cluster.spec, url, "-watchers=0", "-events=0")
        ours = _apibench(program, cluster.spec, cluster.spec.server, "-watchers=100", "-events=100")
    found = [_row(what, ours[step], least[step]) for step, what in STEPS.items()]
    watch = ours["watch"]
    note = f"p99 {watch['p99_ms']:.0f} ms, {watch['errors']} errors"
    return [*found, Row("events to 100 watchers", watch["per_s"], "/s", note=note)]


def _row(what, ours, least):
    errors = f", {ours['errors']} errors" if ours["errors"] else ""
    multiple = ours["per_s"] / least["per_s"]
    times = f"p50 {ours['p50_ms']:.1f} ms, p99 {ours['p99_ms']:.0f} ms{errors}"
    return Row(what, ours["per_s"], "/s", note=f"{multiple:.2f} x the yardstick's {least['per_s']:,.0f}/s; {times}")


def _apibench(program, spec, url, *more):
    admin = (f"-cert={spec.pki / 'admin.crt'}", f"-key={spec.pki / 'admin.key'}")
    done = subprocess.run((program, f"-server={url}", *admin, *WORK, *more), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@contextmanager
def yardstick(spec):
    """The yardstick's URL within a block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    keys = (spec.pki / "apiserver.crt", spec.pki / "apiserver.key")
    argv = (sys.executable, "-m", "bench.echo", str(port), *keys, str(PODS))
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
