"""Builds upstream's test program and what its images hold, from the Go modules of one version of Kubernetes."""

import os
import re
import subprocess
from pathlib import Path

VERSION = "v1.34.1"
STAGING = VERSION.replace("v1.", "v0.")
#: What is built: the file, and the package it comes from.
PACKAGES = {
    "ginkgo": "github.com/onsi/ginkgo/v2/ginkgo",
    "agnhost": "k8s.io/kubernetes/test/images/agnhost",
    "sample-apiserver": "k8s.io/sample-apiserver",
}
_STAMP = "k8s.io/component-base/version.git"


def ensure(cache: Path) -> None:
    """Build what is missing: some ten minutes on two cores the first time, almost all of it e2e.test."""
    cache.mkdir(parents=True, exist_ok=True)
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
