"""A thousand watchers of one kind, and what a GET takes meanwhile: fanout (Go, beside this file) measures."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.rates import built
from bench.report import Row

SOURCE = Path(__file__).parent / "fanout"
WATCHERS = 1000


def missing():
    """Why this cannot be measured; "" when it can."""
    return "" if shutil.which("go") else "Go is not installed"


def rows(cluster):
    """How long a GET takes without watchers, with idle ones, and with changes; and what the watchers were given."""
    spec = cluster.spec
    with tempfile.TemporaryDirectory(prefix="pykube-fanout-") as folder:
        program = built(SOURCE, Path(folder) / "fanout")
        admin = (f"-server={spec.server}", f"-cert={spec.pki / 'admin.crt'}", f"-key={spec.pki / 'admin.key'}")
        done = subprocess.run((program, *admin, f"-watchers={WATCHERS}"), capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    changes, lag = said["change"], said["lag"]
    events = (
        f"{said['mb_per_s']:.0f} MB/s; an event is {lag['p50_ms']:.0f} ms old when it comes, p99 {lag['p99_ms']:.0f}"
    )
    return [
        _get("GET, nobody watches: p99", said["get_alone"]),
        _get(f"GET, {WATCHERS} watchers of that kind, idle: p99", said["get_idle"]),
        _get("the same, with changes as fast as they are taken: p99", said["get_changes"]),
        Row(f"events to {WATCHERS} watchers", said["events_per_s"], "/s", note=f"{events}; {changes['n']} changes"),
    ]


def _get(what, stat):
    note = f"p50 {stat['p50_ms']:.1f} ms, at most {stat['max_ms']:.0f} ms; {stat['n']} GETs, {stat['errors']} errors"
    return Row(what, stat["p99_ms"], "ms", 50, note)
