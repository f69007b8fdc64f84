"""ConfigMaps, Secrets and ServiceAccounts.

Source: validation.go ValidateConfigMap, ValidateSecret, registry/core/secret.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from apimachinery.errors import FieldError
from apimachinery.json_syntax import complaint
from apimachinery.types import Json
from apiserver.strategies import key_pairs, object_warnings
from apiserver.strategies.defaulting import fill, part
from apiserver.strategies.problems import Problems, config_key, forbidden, invalid, required, too_long
from apiserver.strategies.strategy import Strategy, as_sent, metadata_fields

_MAX_SIZE = 1024 * 1024
_FROZEN = "field is immutable when `immutable` is set"
#: The keys that a Secret of a type must have.
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_JSON_NAMES = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}
_ACCOUNT = "kubernetes.io/service-account.name"


def check_config_map(new: Json, old: Json | None) -> list[FieldError]:
    if old is None:
        return [*_config_map(new)]
    now, before = ({**tree, "data": tree.get("data") or {}} for tree in (new, old))  # upstream's default
    return [*_frozen(now, before, ("data", "binaryData")), *_config_map(new)]


def _config_map(tree: Json) -> Problems:
    data, binary = tree.get("data") or {}, tree.get("binaryData") or {}
    for key in data:
        yield from config_key(f"data[{key}]", key)
        if key in binary:
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in binary:
        yield from config_key(f"binaryData[{key}]", key)
    if sum(len(value.encode()) for value in data.values()) + sum(map(_decoded_size, binary.values())) > _MAX_SIZE:
        yield too_long("[]", _MAX_SIZE)


def _decoded_size(text: str) -> int:
    return len(text) * 3 // 4 - text[-2:].count("=")


def _frozen(new: Json, old: Json, members: tuple[str, ...]) -> Problems:
    """Once `immutable`, always so, and the data with it."""
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        yield forbidden("immutable", _FROZEN)
    for name in members:
        if new.get(name) != old.get(name):  # an empty one is not none
            yield forbidden(name, _FROZEN)


def default_secret(tree: Json) -> Json:
    """`stringData` is for writing only: it goes into `data`, encoded, and over it; upstream's decoding does that."""
    fill(tree, "type", "Opaque")
    plain: Mapping[str, Any] = tree.pop("stringData", None) or {}
    if plain:
        data = part(tree, "data")
        data.update({key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()})
    return tree


def check_secret(new: Json, old: Json | None) -> list[FieldError]:
    if old is None:
        return [*_secret(new)]
    changed = [] if new.get("type") == old.get("type") else [invalid("type", new.get("type"), "field is immutable")]
    return [*changed, *_frozen(new, old, ("data",)), *_secret(new)]


def _secret(tree: Json) -> Problems:
    data = tree.get("data") or {}
    for key in data:
        yield from config_key(f"data[{key}]", key)
    if sum(_decoded_size(value or "") for value in data.values()) > _MAX_SIZE:
        yield too_long("data", _MAX_SIZE)
    kind = tree.get("type", "")
    for key in _NEEDED.get(kind, ()):
        if not data.get(key) if key == "ssh-privatekey" else key not in data:
            yield required(f"data[{key}]")
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        yield required("data[username]")
        yield required("data[password]")
    if kind == "kubernetes.io/service-account-token":
        annotations = (tree.get("metadata") or {}).get("annotations") or {}
        if not annotations.get(_ACCOUNT):
            yield required(f"metadata.annotations[{_ACCOUNT}]")
    if kind in ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson"):
        yield from _is_json(_NEEDED[kind][0], data)


def _is_json(key: str, data: Mapping[str, str]) -> Problems:
    if key not in data:
        return
    text = base64.b64decode(data[key])
    try:
        value = json.loads(text)
    except ValueError:
        yield invalid(f"data[{key}]", "<secret contents redacted>", complaint(text) or "invalid character in JSON")
        return
    if value is not None and not isinstance(value, dict):
        why = f"json: cannot unmarshal {_JSON_NAMES[type(value)]} into Go value of type map[string]interface {{}}"
        yield invalid(f"data[{key}]", "<secret contents redacted>", why)


def warn_of_secret(new: Json, _old: Json | None) -> list[str]:
    return key_pairs.warnings(new.get("data") or {}) if new.get("type") == "kubernetes.io/tls" else []


def secret_fields(tree: Json) -> Mapping[str, str]:
    return {**metadata_fields(tree), "type": tree.get("type", "")}


CONFIGMAPS = Strategy(prepare=as_sent, check=check_config_map)
SECRETS = Strategy(
    default=default_secret,
    prepare=as_sent,
    check=check_secret,
    warnings=warn_of_secret,
    fields=secret_fields,
    field_labels=("metadata.name", "metadata.namespace", "type"),
)


def prepare_account(new: Json, _old: Json | None) -> Json:
    """Of its secrets an account knows the names only."""
    if new.get("secrets"):
        new["secrets"] = [{"name": secret["name"]} if secret.get("name") else {} for secret in new["secrets"]]
    return new


SERVICEACCOUNTS = Strategy(prepare=prepare_account, warnings=object_warnings.service_account)
