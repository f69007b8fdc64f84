"""`create configmap`, `namespace`, `serviceaccount`, `token`; and reading `--from-file` and its sisters."""

import base64
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from apimachinery.errors import ApiError
from apimachinery.kinds import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS
from apimachinery.types import Json
from cli.create import FieldManager, Making, Names, SaveConfig, Validate, make, metadata, named
from cli.durations import seconds
from cli.flags import UsageError
from cli.options import DryRun, Output
from cli.printing import formatted
from cli.session import Session, run, while_doing

FromLiteral = Annotated[list[str] | None, typer.Option("--from-literal", help="KEY=VALUE")]
FromFile = Annotated[list[str] | None, typer.Option("--from-file", help="[KEY=]FILE, or a folder.")]
FromEnvFile = Annotated[list[str] | None, typer.Option("--from-env-file", help="A file of KEY=VALUE lines.")]

_KEY = re.compile(r"[-._a-zA-Z0-9]+")


def sources(literals: Iterable[str], files: Iterable[str], env_files: Iterable[str], what: str) -> dict[str, bytes]:
    """The data that the flags name, by key."""
    found: dict[str, bytes] = {}
    pairs = [*_literals(literals), *(pair for file in files for pair in _files(file))]
    pairs += [pair for file in env_files for pair in _env_lines(Path(file))]
    for key, value in pairs:
        if not _KEY.fullmatch(key):
            raise UsageError(
                f'"{key}" is not a valid key name for a {what}: a valid config key must consist of alphanumeric '
                "characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for "
                "validation is '[-._a-zA-Z0-9]+')"
            )
        if key in found:
            raise UsageError(f'cannot add key "{key}", another key by that name already exists in Data for {what} ')
        found[key] = value
    return found


def _literals(literals: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for text in literals:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"invalid literal source {text}, expected key=value")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        yield key, value.encode()


def _files(text: str) -> Iterator[tuple[str, bytes]]:
    key, equals, rest = text.partition("=")
    path = Path(rest if equals else text)
    if path.is_dir():
        if equals:
            raise UsageError("cannot give a key name for a directory path")
        yield from ((file.name, file.read_bytes()) for file in sorted(path.iterdir()) if file.is_file())
    elif not path.exists():
        raise UsageError(f"error reading {path}: no such file or directory")
    else:
        yield (key if equals else path.name), path.read_bytes()


def _env_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    if not path.exists():
        raise UsageError(f"open {path}: no such file or directory")
    for line in path.read_text().splitlines():
        text = line.lstrip()
        if text and not text.startswith("#"):
            key, _, value = text.partition("=")
            yield key, value.encode()


def configmap(
    words: Names = None,
    from_literal: FromLiteral = None,
    from_file: FromFile = None,
    from_env_file: FromEnvFile = None,
    append_hash: Annotated[bool, typer.Option("--append-hash", help="Not available.")] = False,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a config map."""
    name = named(words, "configmap")
    if append_hash:
        raise UsageError("--append-hash is not available in pykubectl")
    data, binary = {}, {}
    for key, value in sources(from_literal or (), from_file or (), from_env_file or (), "ConfigMap").items():
        try:
            data[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode()
    tree: Json = {"metadata": metadata(name)}
    if data:
        tree["data"] = data
    if binary:
        tree["binaryData"] = binary
    make(CONFIGMAPS, tree, Making(dry_run, output, save_config, validate, field_manager))


def namespace(
    words: Names = None,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a namespace."""
    tree = {"metadata": metadata(named(words, "namespace")), "spec": {}, "status": {}}
    make(NAMESPACES, tree, Making(dry_run, output, save_config, validate, field_manager))


def serviceaccount(
    words: Names = None,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a service account."""
    tree = {"metadata": metadata(named(words, "serviceaccount"))}
    make(SERVICEACCOUNTS, tree, Making(dry_run, output, save_config, validate, field_manager))


def token(
    words: Names = None,
    audience: Annotated[list[str] | None, typer.Option("--audience", help="Whom the token is for.")] = None,
    duration: Annotated[str, typer.Option(help="How long it shall be good.")] = "0s",
    bound_kind: Annotated[str, typer.Option("--bound-object-kind", help="Pod|Secret|Node")] = "",
    bound_name: Annotated[str, typer.Option("--bound-object-name", help="Its name.")] = "",
    bound_uid: Annotated[str, typer.Option("--bound-object-uid", help="Its uid.")] = "",
    output: Output = "",
) -> None:
    """Ask for a token of a service account."""
    name = named(words, "token")
    spec: Json = {"audiences": [each for one in audience or () for each in one.split(",")] or None}
    if seconds(duration):
        spec["expirationSeconds"] = int(seconds(duration))
    if bound_kind:
        spec["boundObjectRef"] = {"kind": bound_kind, "apiVersion": "v1", "name": bound_name, "uid": bound_uid}

    async def work(session: Session) -> None:
        body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": spec}
        path = SERVICEACCOUNTS.path(session.namespace, name, "token")
        try:
            answer = (await session.call("POST", path, body=msgspec.json.encode(body))).json()
        except ApiError as error:
            raise while_doing(error, "failed to create token:") from error
        if not answer.get("status", {}).get("token"):
            raise UsageError("failed to create token: no token in server response")
        answer.get("metadata", {}).pop("managedFields", None)
        sys.stdout.write(formatted(answer, output) or answer["status"]["token"])

    run(work)
