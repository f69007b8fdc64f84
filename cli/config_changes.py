"""`pykubectl config` where it changes a file. Source: kubectl/pkg/cmd/config."""

import base64
from pathlib import Path
from typing import Annotated

import typer

from apimachinery.types import Json
from cli.flags import UsageError
from cli.kubeconfig import default_file, files, paths, read, write
from cli.options import Words


def _one(words: list[str] | None) -> str:
    given = list(words or ())
    if len(given) != 1:
        raise UsageError(f"Unexpected args: [{' '.join(given)}]")
    return given[0]


def _holder(part: str, name: str) -> Path:
    """The file that defines an entry, or the one where a new one goes."""
    for file in files():
        if any(each["name"] == name for each in read(file).get(part) or ()):
            return file
    return default_file()


def _set(part: str, key: str, name: str, changes: Json) -> bool:
    """Changes or adds an entry; whether it was there."""
    file = _holder(part, name)
    tree = read(file)
    entries = list(tree.get(part) or ())
    entry = next((each for each in entries if each["name"] == name), None)
    known = entry is not None
    if entry is None:
        entry = {"name": name, key: {}}
        entries.append(entry)
    body = {**(entry.get(key) or {}), **changes}
    entry[key] = {k: v for k, v in body.items() if v not in ("", None)}
    write(file, tree | {part: sorted(entries, key=lambda each: str(each["name"]))})
    return known


def use_context(words: Words = None) -> None:
    """Make a context the current one."""
    name = _one(words)
    trees = [read(file) for file in files()]
    if not any(each["name"] == name for tree in trees for each in tree.get("contexts") or ()):
        raise UsageError(f'no context exists with the name: "{name}"')
    file = next((file for file in files() if read(file).get("current-context")), default_file())
    write(file, read(file) | {"current-context": name})
    print(f'Switched to context "{name}".')


def set_context(
    words: Words = None,
    current: Annotated[bool, typer.Option("--current", help="The current one.")] = False,
    cluster: Annotated[str, typer.Option(help="Its cluster.")] = "",
    user: Annotated[str, typer.Option(help="Its user.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "",
) -> None:
    """Change or add a context."""
    if current:
        if words:
            raise UsageError("cannot specify both a context name and --current")
        name = next((read(file).get("current-context") for file in files() if read(file).get("current-context")), "")
        if not name:
            raise UsageError("no current context is set")
    else:
        name = _one(words)
    changes = {key: value for key, value in (("cluster", cluster), ("user", user), ("namespace", namespace)) if value}
    known = _set("contexts", "context", name, changes)
    print(f'Context "{name}" {"modified" if known else "created"}.')


def _data(file: str, *, embed: bool, key: str) -> Json:
    if not file:
        return {}
    if embed:
        return {f"{key}-data": base64.b64encode(Path(file).read_bytes()).decode(), key: None}
    return {key: str(Path(file).absolute()), f"{key}-data": None}


def set_cluster(
    words: Words = None,
    server: Annotated[str, typer.Option(help="Its URL.")] = "",
    certificate_authority: Annotated[str, typer.Option(help="A file with its CA.")] = "",
    embed_certs: Annotated[bool, typer.Option("--embed-certs", help="Put the file's content in.")] = False,
    insecure: Annotated[bool, typer.Option("--insecure-skip-tls-verify", help="Trust anybody.")] = False,
    tls_server_name: Annotated[str, typer.Option(help="The name in its certificate.")] = "",
    proxy_url: Annotated[str, typer.Option(help="A proxy.")] = "",
) -> None:
    """Change or add a cluster."""
    name = _one(words)
    changes = {"server": server, "tls-server-name": tls_server_name, "proxy-url": proxy_url}
    found: Json = {key: value for key, value in changes.items() if value}
    found |= _data(certificate_authority, embed=embed_certs, key="certificate-authority")
    if insecure:
        found |= {"insecure-skip-tls-verify": True}
    _set("clusters", "cluster", name, found)
    print(f'Cluster "{name}" set.')


def set_credentials(
    words: Words = None,
    token: Annotated[str, typer.Option(help="A bearer token.")] = "",
    username: Annotated[str, typer.Option(help="For basic authentication.")] = "",
    password: Annotated[str, typer.Option(help="For basic authentication.")] = "",
    client_certificate: Annotated[str, typer.Option(help="A file.")] = "",
    client_key: Annotated[str, typer.Option(help="A file.")] = "",
    embed_certs: Annotated[bool, typer.Option("--embed-certs", help="Put the files' content in.")] = False,
) -> None:
    """Change or add a user."""
    name = _one(words)
    changes = {"token": token, "username": username, "password": password}
    found = {key: value for key, value in changes.items() if value}
    found |= _data(client_certificate, embed=embed_certs, key="client-certificate")
    found |= _data(client_key, embed=embed_certs, key="client-key")
    _set("users", "user", name, found)
    print(f'User "{name}" set.')


def _delete(part: str, word: str, name: str) -> None:
    file = _holder(part, name)
    tree = read(file)
    entries = list(tree.get(part) or ())
    kept = [each for each in entries if each["name"] != name]
    if len(kept) == len(entries):
        raise UsageError(f"cannot delete {word} {name}, not in {paths()[0]}")
    write(file, tree | {part: kept or None})
    print(f"deleted {word} {name} from {file}")


def delete_context(words: Words = None) -> None:
    """Delete a context."""
    _delete("contexts", "context", _one(words))


def delete_cluster(words: Words = None) -> None:
    """Delete a cluster."""
    _delete("clusters", "cluster", _one(words))


def delete_user(words: Words = None) -> None:
    """Delete a user."""
    _delete("users", "user", _one(words))


def rename_context(words: Words = None) -> None:
    """Give a context another name."""
    given = list(words or ())
    if len(given) != 2:
        raise UsageError(f"Unexpected args: [{' '.join(given)}]")
    old, new = given
    file = _holder("contexts", old)
    tree = read(file)
    entries = list(tree.get("contexts") or ())
    if not any(each["name"] == old for each in entries):
        raise UsageError(f'cannot rename the context "{old}", it\'s not in {file}')
    if any(each["name"] == new for each in entries):
        raise UsageError(f'cannot rename the context "{old}", the context "{new}" already exists in {file}')
    renamed = [each | {"name": new} if each["name"] == old else each for each in entries]
    current = new if tree.get("current-context") == old else tree.get("current-context", "")
    write(file, tree | {"contexts": sorted(renamed, key=lambda each: str(each["name"])), "current-context": current})
    print(f'Context "{old}" renamed to "{new}".')
