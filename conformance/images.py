"""The images that the tests name, made here of Debian's packages and upstream's programs: no registry is needed.

They do what the tests ask of them, and are not the originals: busybox stands in for Apache and nginx, and agnhost's
shell is bash.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from conformance import programs
from kubelet.runtime.pause import program

REGISTRY = "registry.k8s.io/e2e-test-images"
BASE = "pykube-conformance-base:1"
_PACKAGES = "curl,bind9-dnsutils,netcat-openbsd,net-tools,iproute2,iperf,ca-certificates,busybox-static"
_APPLETS = "for a in $(/bin/busybox --list); do command -v $a >/dev/null || ln -s /bin/busybox /usr/bin/$a; done"
_SHELL = f"rm -f /bin/sh && ln -s bash /bin/sh && {_APPLETS}"
#: busybox alone, as its own image is.
_BUSYBOX = """FROM scratch
COPY busybox /bin/
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p -m 755 /etc /home /usr/bin /usr/sbin /var/spool /var/www && mkdir -m 1777 /tmp && mkdir -m 700 /root && \\
    ln -s /bin/env /usr/bin/env && echo root:x:0:0:root:/root:/bin/sh >/etc/passwd && echo root:x:0: >/etc/group && \\
    echo nobody:x:65534:65534:nobody:/home:/bin/false >>/etc/passwd && echo nobody:x:65534: >>/etc/group
CMD ["sh"]
"""
_USERS = (
    "useradd -u 1000 user-defined-in-image && groupadd -g 50000 group-defined-in-image && "
    "usermod -a -G group-defined-in-image user-defined-in-image"
)
_PAGE = "echo '<html><body><h1>It works!</h1></body></html>'"


def _web(name: str, folder: str) -> str:
    command = f"#!/bin/sh\\nexec /bin/busybox httpd -f -v -p 80 -h {folder}\\n"
    return (
        f"FROM {BASE}\nRUN mkdir -p {folder} && {_PAGE} > {folder}/index.html && "
        f"printf '{command}' > /usr/local/bin/{name}-foreground && chmod +x /usr/local/bin/{name}-foreground\n"
        f'WORKDIR {folder}\nEXPOSE 80\nSTOPSIGNAL SIGKILL\nCMD ["{name}-foreground"]\n'  # it hears no other
    )


def _pet(name: str) -> str:
    return f'FROM {REGISTRY}/agnhost:2.56\nCOPY {name}.jpg data.json /\nCMD ["test-webserver"]\n'


#: Tags and Dockerfiles, in the order of building. COPY takes from the cache and from upstream's folder of test images.
IMAGES: Mapping[str, str] = {
    f"{REGISTRY}/busybox:1.37.0-1": _BUSYBOX,
    f"{REGISTRY}/agnhost:2.56": (
        f"FROM {BASE}\nRUN mkdir -p /uploads && {_USERS} && {_SHELL} && ln -sf /usr/bin/iperf /usr/local/bin/iperf\n"
        "COPY localhost.crt localhost.key agnhost /\nRUN ln -s agnhost agnhost-2\n"
        'EXPOSE 80 8080 8081 9376 5000\nENTRYPOINT ["/agnhost"]\nCMD ["pause"]\n'
    ),
    f"{REGISTRY}/httpd:2.4.38-4": _web("httpd", "/usr/local/apache2/htdocs"),
    f"{REGISTRY}/nginx:1.14-4": _web("nginx", "/usr/share/nginx/html"),
    f"{REGISTRY}/kitten:1.7": _pet("kitten"),
    f"{REGISTRY}/nautilus:1.7": _pet("nautilus"),
    f"{REGISTRY}/nonroot:1.4": f"FROM {REGISTRY}/busybox:1.37.0-1\nUSER 1234\n",
    f"{REGISTRY}/nonewprivs:1.3": (
        f'FROM {BASE}\nCOPY nnp /usr/local/bin/\nRUN chmod +s /usr/local/bin/nnp\nCMD ["nnp"]\n'
    ),
    f"{REGISTRY}/sample-apiserver:1.29.2": f'FROM {BASE}\nCOPY sample-apiserver /\nENTRYPOINT ["/sample-apiserver"]\n',
    "registry.k8s.io/etcd:3.6.4-0": f"FROM {BASE}\nCOPY etcd /usr/local/bin/\n",
    "registry.k8s.io/pause:3.10.1": 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n',
}
#: Other names for the same.
TAGS = {
    f"{REGISTRY}/httpd:2.4.39-4": f"{REGISTRY}/httpd:2.4.38-4",
    f"{REGISTRY}/nginx:1.15-4": f"{REGISTRY}/nginx:1.14-4",
    f"{REGISTRY}/jessie-dnsutils:1.7": f"{REGISTRY}/agnhost:2.56",
    f"{REGISTRY}/perl:5.26": f"{REGISTRY}/agnhost:2.56",
}


def ensure(cache: Path) -> None:
    """Make the images that the Docker Engine has not."""
    missing = [tag for tag in IMAGES if not _has(tag)]
    if missing:
        _base(cache)
    for tag in missing:
        print(f"Making {tag} ...", flush=True)
        _build(cache, tag, IMAGES[tag])
    for tag, of in TAGS.items():
        subprocess.run(("docker", "tag", of, tag), check=True)


def _has(tag: str) -> bool:
    return subprocess.run(("docker", "image", "inspect", tag), capture_output=True, check=False).returncode == 0


def _base(cache: Path) -> None:
    """A small Debian with the programs that the tests call."""
    if _has(BASE):
        return
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        subprocess.run(("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", folder), check=True)
        with subprocess.Popen(("tar", "-C", folder, "-c", "."), stdout=subprocess.PIPE) as tar:
            subprocess.run(("docker", "import", "-", BASE), stdin=tar.stdout, check=True)


def _build(cache: Path, tag: str, dockerfile: str) -> None:
    tests = programs.source(cache) / "test/images"
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        (context / "Dockerfile").write_text(dockerfile)
        (context / "pause").write_bytes(program())
        (context / "pause").chmod(0o755)
        sources = [cache / name for name in ("agnhost", "busybox", "nnp", "sample-apiserver")]
        sources += [Path(shutil.which("etcd") or ""), *(tests / "agnhost/porter").glob("localhost.*")]
        sources += [*(tests / "kitten/html").iterdir(), *(tests / "nautilus/html").glob("*.jpg")]
        copied = {name for line in dockerfile.splitlines() if line.startswith("COPY") for name in line.split()[1:-1]}
        for source in sources:
            if source.name in copied:
                shutil.copy(source, context)
        if f"{REGISTRY}/nautilus" in tag:
            shutil.copy(tests / "nautilus/html/data.json", context)
        argv = ("docker", "build", "--quiet", "--network=none", "--tag", tag, folder)
        subprocess.run(argv, env={"DOCKER_BUILDKIT": "0", "PATH": "/usr/bin:/usr/local/bin:/bin"}, check=True)
