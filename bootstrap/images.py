"""Images that come to a node without a registry: built here from busybox, or loaded from an archive.

An image is a tar of a root file system plus a configuration, imported into the Docker Engine; nothing is downloaded.
What was built here is recorded in the cluster's folder, so that `down` removes it and nothing else.
"""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import docker
from docker.errors import APIError, ImageNotFound

from bootstrap.spec import ClusterSpec

WEB = "pykube/web:demo"
#: busybox's httpd knows no SIGTERM as process 1: the shell does, and waits for it.
_SERVE = b"""#!/bin/sh
trap 'kill $!; exit 0' TERM INT
httpd -f -p 8080 "$@" &
wait $!
"""


def engine(spec: ClusterSpec) -> docker.APIClient:
    """The Docker Engine of this machine's node."""
    return docker.APIClient(base_url=spec.docker_endpoint, timeout=120)


def build_web(spec: ClusterSpec) -> bool:
    """Makes the demo's image where it is missing; says whether it had to."""
    with engine(spec) as api:
        if exists(api, WEB):
            return False
        files = {"bin/serve": _SERVE, "www/index.html": b"<h1>PyKube</h1>\n"}
        build(api, WEB, files, ('ENTRYPOINT ["/bin/serve"]', 'CMD ["-h", "/www"]', "EXPOSE 8080"))
    _remember(spec, WEB)
    return True


def exists(api: docker.APIClient, image: str) -> bool:
    """Whether the engine has the image."""
    try:
        api.inspect_image(image)
    except ImageNotFound:
        return False
    return True


def build(api: docker.APIClient, image: str, files: Mapping[str, bytes], changes: Sequence[str]) -> None:
    """Imports an image of busybox with all its commands, plus `files` (path -> content, all executable)."""
    name, _, tag = image.partition(":")
    api.import_image_from_data(_root(files), repository=name, tag=tag or "latest", changes=list(changes))


def _root(files: Mapping[str, bytes]) -> bytes:
    binary = shutil.which("busybox")
    if binary is None:
        message = "busybox is missing: run 'apt-get install busybox-static'."
        raise FileNotFoundError(message)
    commands = subprocess.run((binary, "--list"), capture_output=True, text=True, check=True).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("bin", "etc", "tmp", "var", "root", "home", "usr", "usr/bin", *_parents(files)):
            _add(tar, folder, b"", tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755)
        _add(tar, "bin/busybox", Path(binary).read_bytes())
        for command in commands:
            if command != "busybox":
                _add(tar, f"bin/{command}", b"", tarfile.SYMTYPE, link="busybox")
        _add(
            tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", mode=0o644
        )
        _add(tar, "etc/group", b"root:x:0:\nnogroup:x:65534:\n", mode=0o644)
        for path, content in files.items():
            _add(tar, path, content)
    return buffer.getvalue()


def _parents(files: Mapping[str, bytes]) -> Sequence[str]:
    known = {"bin", "etc", "tmp", "var", "root", "home", "usr", "usr/bin"}
    return sorted({str(Path(path).parent) for path in files} - known - {"."})


def _add(
    tar: tarfile.TarFile, path: str, content: bytes, kind: bytes = tarfile.REGTYPE, mode: int = 0o755, link: str = ""
) -> None:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(content)
    tar.addfile(entry, io.BytesIO(content))


def load(spec: ClusterSpec, archive: Path) -> list[str]:
    """Loads a `docker save` archive into the node's engine; the names of the images in it. Raises ValueError."""
    with engine(spec) as api, archive.open("rb") as data:
        parts = list(api.load_image(data))
    lines = [str(part.get("stream", "")) for part in parts]
    found = [line.partition(": ")[2].strip() for line in lines if line.startswith("Loaded image")]
    if not found:
        why = next((str(part["error"]) for part in parts if part.get("error")), "there is no image in it")
        raise ValueError(f"{archive} cannot be loaded: {why}. It must be what 'docker save IMAGE -o FILE' writes.")
    return found


def _remember(spec: ClusterSpec, image: str) -> None:
    with (spec.root / "built-images").open("a") as file:
        file.write(f"{image}\n")


def remove_built(spec: ClusterSpec) -> None:
    """Removes the images that were built for this cluster; one that another container uses stays."""
    record = spec.root / "built-images"
    if not record.exists():
        return
    with engine(spec) as api:
        for image in dict.fromkeys(record.read_text().split()):
            try:
                api.remove_image(image)
            except ImageNotFound:
                continue
            except APIError as error:
                if error.status_code != 409:  # in use: by another cluster, say
                    raise
