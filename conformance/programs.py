"""Builds upstream's test program and what its images hold, from the Go modules of one version of Kubernetes.

And busybox, from the source that Debian has unchanged: its package is patched to drop what is no name of a variable
from the environment, and tests want to see `data-1`.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

VERSION = "v1.34.1"
STAGING = VERSION.replace("v1.", "v0.")
#: What is built: the file, and the package it comes from.
PACKAGES = {
    "ginkgo": "github.com/onsi/ginkgo/v2/ginkgo",
    "agnhost": "k8s.io/kubernetes/test/images/agnhost",
    "sample-apiserver": "k8s.io/sample-apiserver",
}
#: Where Debian's apt keeps what it knows of a release that the machine need not have.
_APT = """Dir::State={0}/state Dir::Cache={0}/cache Dir::Etc::sourcelist={0}/sources.list Dir::Etc::sourceparts=/none
Acquire::Languages=none APT::Sandbox::User=root"""
_SOURCES = (
    "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n"
)
_STAMP = "k8s.io/component-base/version.git"


def ensure(cache: Path) -> None:
    """Build what is missing: some ten minutes on two cores the first time, almost all of it e2e.test."""
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "busybox").exists():
        print("Building busybox ...", flush=True)
        _busybox(cache)
    missing = {name: package for name, package in PACKAGES.items() if not (cache / name).exists()}
    if not missing and (cache / "e2e.test").exists() and (cache / "nnp").exists():
        return
    module = cache / "module"
    source = _module(module)
    for name, package in missing.items():
        print(f"Building {name} ...", flush=True)
        _go(module, "get", f"{package}@{STAGING}" if name == "sample-apiserver" else package)
        _go(module, "build", "-ldflags=-s -w", "-o", str(cache / name), package)
    _go(module, "build", "-o", str(cache / "nnp"), str(source / "test/images/nonewprivs/nnp.go"))
    if not (cache / "e2e.test").exists():
        print("Building e2e.test ...", flush=True)
        major, minor = VERSION.removeprefix("v").split(".")[:2]
        stamp = f"-X {_STAMP}Version={VERSION} -X {_STAMP}Major={major} -X {_STAMP}Minor={minor}"
        flags = f"-ldflags=-s -w {stamp}"
        _go(module, "test", "-c", flags, "-o", str(cache / "e2e.test"), "k8s.io/kubernetes/test/e2e")


def _busybox(cache: Path) -> None:
    """busybox with everything that it has by default, static; a minute on two cores."""
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = Path(name)
        for needed in ("state/lists/partial", "cache/archives/partial"):
            (folder / needed).mkdir(parents=True)
        (folder / "sources.list").write_text(_SOURCES)
        apt = ("apt-get", "-qq", *(f"-o{option}" for option in _APT.format(folder).split()))
        subprocess.run((*apt, "update"), check=True)
        subprocess.run((*apt, "source", "--download-only", "busybox"), cwd=folder, check=True)
        (archive,) = folder.glob("busybox_*.orig.tar.*")
        subprocess.run(("tar", "-x", "--strip-components=1", "-f", archive.name), cwd=folder, check=True)
        make = ("make", "--silent", "EXTRA_CFLAGS=-w", f"-j{os.cpu_count()}")
        subprocess.run((*make, "defconfig"), cwd=folder, stdout=subprocess.DEVNULL, check=True)
        chosen = (folder / ".config").read_text().replace("# CONFIG_STATIC is not set", "CONFIG_STATIC=y")
        (folder / ".config").write_text(
            chosen.replace("CONFIG_TC=y", "CONFIG_TC=n")
        )  # the kernel's headers have it no more
        subprocess.run((*make, "busybox"), cwd=folder, stdout=subprocess.DEVNULL, check=True)
        (folder / "busybox").rename(cache / "busybox")


def source(cache: Path) -> Path:
    """Where the source of Kubernetes lies."""
    return Path(_go(cache / "module", "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes").strip())


def _module(folder: Path) -> Path:
    """A module that requires Kubernetes; its staging modules are named without versions there, so they are pinned."""
    folder.mkdir(exist_ok=True)
    (folder / "go.mod").write_text(f"module conformance\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes {VERSION}\n")
    _go(folder, "mod", "download", "k8s.io/kubernetes")
    found = Path(_go(folder, "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes").strip())
    staged = sorted(set(re.findall(r"^\s+(k8s\.io/\S+) v0\.0\.0", (found / "go.mod").read_text(), re.MULTILINE)))
    with (folder / "go.mod").open("a") as file:
        file.writelines(f"replace {name} => {name} {STAGING}\n" for name in staged)
    (folder / "main.go").write_text(
        'package main\n\nimport _ "k8s.io/kubernetes/test/e2e/framework"\n\nfunc main() {}\n'
    )
    _go(folder, "mod", "tidy")
    return found


def _go(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    done = subprocess.run(
        ("go", *arguments), cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout
