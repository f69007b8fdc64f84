"""`pykubectl cp`: files to and from containers, by tar in the container. Source: kubectl/pkg/cmd/cp."""

import io
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer

from apimachinery.kinds import PODS
from cli.exec import Container
from cli.flags import UsageError
from cli.pods_of import container_of
from cli.session import Session, run
from cli.streams import captured, outcome
from cli.usage import see

_CHUNK = 1 << 16


def cp(
    words: Annotated[
        list[str] | None, typer.Argument(help="SOURCE TARGET; a container's is [NAMESPACE/]POD:PATH")
    ] = None,
    container: Container = "",
    no_preserve: Annotated[bool, typer.Option("--no-preserve", help="Not the owner and mode.")] = False,
    retries: Annotated[int, typer.Option(hidden=True)] = 0,  # noqa: ARG001  (accepted)
) -> None:
    """Copy files to and from a container."""
    given = words or []
    if len(given) != 2:
        raise UsageError("source and destination are required", "" if not given else see("cp"))
    source, target = (_place(text) for text in given)
    if source[0] and target[0]:
        raise UsageError("one of src or dest must be a local file specification")
    if not source[0] and not target[0]:
        raise UsageError("one of src or dest must be a remote file specification")
    if not source[2] or not target[2]:
        raise UsageError("filepath can not be empty")

    async def work(session: Session) -> int:
        if target[0]:
            return await _upload(session, Path(source[2]), target, container, keep=not no_preserve)
        return await _download(session, source, Path(target[2]), container)

    run(work)


def _place(text: str) -> tuple[str, str, str]:
    """(pod, namespace, path); the pod is "" for a file here."""
    head, colon, path = text.partition(":")
    if not colon or ("/" in head and head.count("/") > 1) or text.startswith((".", "/")):
        return "", "", text
    namespace, slash, pod = head.rpartition("/")
    return pod, namespace if slash else "", path


async def _query(
    session: Session, place: tuple[str, str, str], container: str, command: list[str], *, stdin: bool
) -> tuple[str, list[tuple[str, str]]]:
    pod_name, namespace, _ = place
    pod = await session.get_json(PODS.path(namespace or session.namespace, pod_name))
    chosen = container_of(pod, container)
    query = [*(("command", word) for word in command), ("container", chosen), ("stdout", "true"), ("stderr", "true")]
    path = PODS.path(pod["metadata"]["namespace"], pod_name, "exec")
    return path, [*query, *([("stdin", "true")] if stdin else [])]


async def _upload(session: Session, source: Path, target: tuple[str, str, str], container: str, *, keep: bool) -> int:
    if not source.exists():  # noqa: ASYNC240  (one look at a local file)
        raise UsageError(f"{source} doesn't exist in local filesystem")
    goal = PurePosixPath(target[2])
    if target[2].endswith("/") or await _is_folder(session, target, container):
        goal /= source.name
    command = ["tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-"] if not keep else ["tar", "-xmf", "-"]
    if str(goal.parent) not in (".", ""):
        command += ["-C", str(goal.parent)]
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(source, arcname=goal.name)
        file.seek(0)
        path, query = await _query(session, target, container, command, stdin=True)
        return outcome(dict(await captured(session, path, query, stdin=_chunks(file), out=lambda _: None)))


async def _chunks(file: Any) -> AsyncIterator[bytes]:
    while data := file.read(_CHUNK):
        yield data


async def _is_folder(session: Session, place: tuple[str, str, str], container: str) -> bool:
    path, query = await _query(session, place, container, ["test", "-d", place[2]], stdin=False)
    status = await captured(session, path, query, out=lambda _: None)
    return status.get("status") == "Success"


async def _download(session: Session, source: tuple[str, str, str], target: Path, container: str) -> int:
    path, query = await _query(session, source, container, ["tar", "cf", "-", source[2]], stdin=False)
    with tempfile.TemporaryFile() as file:
        code = outcome(dict(await captured(session, path, query, out=file.write)))
        if code:
            return code
        file.seek(0)
        _unpack(file, PurePosixPath(source[2].strip("/")), target)
    return 0


def _unpack(file: io.BufferedIOBase | Any, source: PurePosixPath, target: Path) -> None:
    """Puts what is under `source` in the archive at `target`; nothing may leave it, links are left out."""
    goal = target / source.name if target.is_dir() and source.name else target
    with tarfile.open(fileobj=file) as archive:
        for member in archive:
            name = PurePosixPath(member.name.lstrip("/"))
            if name != source and source not in name.parents and str(source) not in (".", ""):
                continue
            rest = name.relative_to(source) if str(source) not in (".", "") else name
            if ".." in rest.parts:
                print(f'warning: file "{member.name}" is outside target destination, skipping', file=sys.stderr)
                continue
            place = goal / rest
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
            elif member.isfile():
                place.parent.mkdir(parents=True, exist_ok=True)
                data = archive.extractfile(member)
                place.write_bytes(data.read() if data else b"")
                place.chmod(member.mode & 0o777)
            else:
                print(
                    f'warning: skipping symlink: "{place}" -> "{member.linkname}" (consider using "kubectl exec -n'
                    f' "<namespace>" "<pod>" -- tar cf - "{member.name}" | tar xf -")',
                    file=sys.stderr,
                )
