"""`create secret generic`, `tls`, `docker-registry`."""

import base64
import json
from pathlib import Path
from typing import Annotated

import typer

from apimachinery.kinds import SECRETS
from apimachinery.types import Json
from cli.create import FieldManager, Making, Names, SaveConfig, Validate, make, metadata, named, required
from cli.create_configs import FromEnvFile, FromFile, FromLiteral, sources
from cli.flags import UsageError
from cli.options import DryRun, Output


def _secret(name: str, data: dict[str, bytes], type: str, making: Making) -> None:
    tree: Json = {"metadata": metadata(name)}
    if data:
        tree["data"] = {key: base64.b64encode(value).decode() for key, value in data.items()}
    if type:
        tree["type"] = type
    make(SECRETS, tree, making)


def generic(
    words: Names = None,
    from_literal: FromLiteral = None,
    from_file: FromFile = None,
    from_env_file: FromEnvFile = None,
    type: Annotated[str, typer.Option(help="The secret's type.")] = "",
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a secret from files or literals."""
    name = named(words, "secret generic")
    data = sources(from_literal or (), from_file or (), from_env_file or (), "Secret")
    _secret(name, data, type, Making(dry_run, output, save_config, validate, field_manager))


def tls(
    words: Names = None,
    cert: Annotated[str, typer.Option(help="A certificate, PEM.")] = "",
    key: Annotated[str, typer.Option(help="Its key.")] = "",
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a TLS secret."""
    required(cert=cert, key=key)
    name = named(words, "secret tls")
    for file in (cert, key):
        if not Path(file).exists():
            raise UsageError(f"open {file}: no such file or directory")
    data = {"tls.crt": Path(cert).read_bytes(), "tls.key": Path(key).read_bytes()}
    _secret(name, data, "kubernetes.io/tls", Making(dry_run, output, save_config, validate, field_manager))


def docker_registry(
    words: Names = None,
    docker_server: Annotated[str, typer.Option(help="The registry.")] = "https://index.docker.io/v1/",
    docker_username: Annotated[str, typer.Option(help="Who logs in.")] = "",
    docker_password: Annotated[str, typer.Option(help="The password.")] = "",
    docker_email: Annotated[str, typer.Option(help="The e-mail address.")] = "",
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a secret for a registry."""
    name = named(words, "secret docker-registry")
    required(docker_username=docker_username, docker_password=docker_password)
    entry = {"username": docker_username, "password": docker_password}
    if docker_email:
        entry["email"] = docker_email
    entry["auth"] = base64.b64encode(f"{docker_username}:{docker_password}".encode()).decode()
    text = json.dumps({"auths": {docker_server: entry}}, separators=(",", ":"))
    making = Making(dry_run, output, save_config, validate, field_manager)
    _secret(name, {".dockerconfigjson": text.encode()}, "kubernetes.io/dockerconfigjson", making)
