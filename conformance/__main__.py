"""`python -m conformance`: upstream's own conformance tests, on a cluster made for them. How many pass is the figure.

    python -m conformance                                  every one of them (an hour and more)
    python -m conformance --focus 'sig-network|sig-node'   those whose names match
    python -m conformance --build                          only build the tests and the images

The tests are upstream's e2e.test, built from its Go modules; the images they name are made here (images.py). Both are
kept in ~/.cache/pykube-conformance. Needs root, Go, a C compiler, debootstrap, and what `make up` needs. Not part of
`make test`.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bench.cluster import up
from conformance import images, programs
from conformance.report import summary

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pykube-conformance"
EVERY = r"\[Conformance\]"
ALONE = r"\[Serial\]|\[Disruptive\]"  # tests that must not have others beside them


def main(
    focus: Annotated[str, typer.Option(help="A regular expression: tests whose names match.")] = "",
    skip: Annotated[str, typer.Option(help="A regular expression: not these.")] = "",
    procs: Annotated[int, typer.Option(help="How many tests at a time, but for those that want to be alone.")] = 4,
    out: Annotated[Path, typer.Option(help="Where logs and reports go.")] = Path("/tmp/pykube-conformance"),
    build: Annotated[bool, typer.Option("--build", help="Only build.")] = False,
) -> None:
    """Run upstream's conformance tests."""
    programs.ensure(CACHE)
    images.ensure(CACHE)
    if build:
        return
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pykube-conformance-") as home:
        cluster = up("conformance", Path(home))
        try:
            wanted = f"(?:{focus}).*{EVERY}" if focus else EVERY
            reports = [
                _run(cluster, out / "together.json", wanted, _either(skip, ALONE), procs),
                _run(cluster, out / "alone.json", f"(?:{ALONE}).*{wanted}|{wanted}.*(?:{ALONE})", skip, 1),
            ]
        finally:
            cluster.down()
    print(summary([report for report in reports if report.exists()]))


def _either(*patterns: str) -> str:
    return "|".join(f"(?:{re.compile(pattern).pattern})" for pattern in patterns if pattern)


def _run(cluster, report, focus, skip, procs):
    """One run of the test program; its report in JSON."""
    argv = [CACHE / "ginkgo", f"--procs={procs}", "--no-color", "--timeout=4h", f"--focus={focus}"]
    argv += [f"--skip={skip}"] if skip else []
    argv += [f"--output-dir={report.parent}", f"--json-report={report.name}", CACHE / "e2e.test", "--"]
    argv += [f"--kubeconfig={cluster.environment['KUBECONFIG']}", "--provider=skeleton", "--disable-log-dump"]
    with report.with_suffix(".log").open("w") as log:
        subprocess.run(argv, env=cluster.environment, stdout=log, stderr=log, check=False)
    return report


if __name__ == "__main__":
    typer.run(main)
