"""Which credentials go with an image: those of its pod's secrets first, then the node's, the most specific first. Pure.

A key is a registry with a path (`registry.example.com/team`); parts of the host may hold wildcards, the port must be
the same, the path a prefix. All that match are tried in turn. Images without a registry are Docker Hub's.
Source: pkg/credentialprovider/keyring.go, secrets/secrets.go.
"""

import base64
import binascii
import fnmatch
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from apimachinery.objects.core_v1 import Secret

_HUB = "index.docker.io"
_JSON, _OLD = ".dockerconfigjson", ".dockercfg"

Auth = Mapping[str, str]  # username, password


@dataclass(frozen=True, slots=True)
class Keyring:
    """Credentials by key, in the order in which keys are tried."""

    entries: tuple[tuple[str, Auth], ...] = ()

    def lookup(self, image: str) -> list[Auth]:
        repository = _repository(image)
        found = [auth for key, auth in self.entries if matches(key, repository)]
        if not found and _is_of_the_hub(repository):
            found = [auth for key, auth in self.entries if key == _HUB]
        return found


def keyring(auths: Mapping[str, Mapping[str, str]]) -> Keyring:
    """From the `auths` of a Docker configuration."""
    return _sorted([(_key(where), auth) for where, entry in auths.items() if (auth := _auth(entry)) is not None])


def of_secrets(secrets: Iterable[Secret]) -> Keyring:
    """From pull secrets; what cannot be read counts as empty."""
    found: list[tuple[str, Auth]] = []
    for secret in secrets:
        found += [(_key(where), auth) for where, entry in _auths(secret).items() if (auth := _auth(entry)) is not None]
    return _sorted(found)


def of_configuration(text: str | bytes) -> Keyring:
    """From a config.json of Docker's."""
    try:
        auths = json.loads(text).get("auths", {})
    except (ValueError, AttributeError):
        return Keyring()
    return keyring(auths) if isinstance(auths, dict) else Keyring()


def candidates(image: str, rings: Iterable[Keyring]) -> list[Auth]:
    """Every credential to try for the image, in order, none twice."""
    found: list[Auth] = []
    for ring in rings:
        found += [auth for auth in ring.lookup(image) if auth not in found]
    return found


def matches(pattern: str, repository: str) -> bool:
    """Whether a key (or a pattern of a credential provider's) fits a repository."""
    wanted, given = _split(pattern), _split(repository)
    hosts = (wanted.hostname or "").split("."), (given.hostname or "").split(".")
    if _port(wanted) != _port(given) or len(hosts[0]) != len(hosts[1]) or not given.path.startswith(wanted.path):
        return False
    return all(fnmatch.fnmatchcase(there, glob) for glob, there in zip(*hosts, strict=True))


def _sorted(found: list[tuple[str, Auth]]) -> Keyring:
    order = sorted(
        range(len(found)), key=lambda at: found[at][0], reverse=True
    )  # stable: the first of a key stays first
    by_key: dict[str, list[Auth]] = {}
    for at in range(len(found)):
        by_key.setdefault(found[at][0], []).append(found[at][1])
    keys = dict.fromkeys(found[at][0] for at in order)
    return Keyring(tuple((key, auth) for key in keys for auth in by_key[key]))


def _split(text: str) -> SplitResult:
    return urlsplit(f"https://{text}")


def _port(url: SplitResult) -> str:
    return url.netloc.rpartition(":")[2] if ":" in url.netloc else ""


def _key(where: str) -> str:
    """A registry as Docker's configurations name it: /v1/ and /v2/ say nothing."""
    url = urlsplit(where if where.startswith(("http://", "https://")) else f"https://{where}")
    path = url.path[3:] if url.path.startswith(("/v1/", "/v2/")) else url.path
    return url.netloc + (path if path not in ("", "/") else "")


def _repository(image: str) -> str:
    """Without tag and digest; Docker Hub's short names as they are."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _is_of_the_hub(repository: str) -> bool:
    first, slash, _ = repository.partition("/")
    return bool(first) and (not slash or first in ("docker.io", _HUB) or not set(".:") & set(first))


def _auths(secret: Secret) -> Mapping[str, Mapping[str, str]]:
    try:
        if _JSON in secret.data:
            found = json.loads(secret.data[_JSON])["auths"]
        else:
            found = json.loads(secret.data.get(_OLD, b"{}"))
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _auth(entry: Mapping[str, str]) -> Auth | None:
    if not isinstance(entry, dict):
        return None
    if entry.get("auth"):
        try:
            user, colon, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        if not colon:
            return None
        return {"username": user, "password": password}
    return {"username": entry.get("username", ""), "password": entry.get("password", "")}
