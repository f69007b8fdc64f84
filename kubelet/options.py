"""The kubelet's settings, checked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from apimachinery import quantity
from apimachinery.types import Json
from kubelet.configuration import Configuration, check, parse
from kubelet.credential_plugins import Provider
from kubelet.eviction.thresholds import reserved as hard

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the flags say that no configuration file does; their meaning stands in main.py."""

    kubeconfig: str
    network_kubeconfig: str
    local_path_kubeconfig: str
    node_name: str
    node_ip: str
    root_dir: Path
    log_dir: Path
    cluster_cidr: str
    docker_endpoint: str
    bridge: str
    chain_prefix: str
    cluster_name: str
    credential_providers: Sequence[Provider]
    credential_bin_dir: str
    labels: Mapping[str, str]
    configuration: Configuration


def configured(text: str, flags: Mapping[str, Any]) -> Configuration:
    """The file's settings (`text` is "" where there is none), with those of the flags that were given over them."""
    found = parse(text) if text else Configuration()
    made = replace(found, **{name: value for name, value in flags.items() if value is not None})
    check(made)
    return made


def reserved(configuration: Configuration, capacity: Mapping[str, int]) -> dict[str, str]:
    """What pods may not have: the two reservations, and what the hard eviction thresholds keep."""
    rows = [configuration.system_reserved, configuration.kube_reserved]
    rows.append({name: str(amount) for name, amount in hard(configuration.eviction_hard, capacity).items()})
    return _sum(rows)


def withheld(configuration: Configuration) -> dict[str, str]:
    """The reservations alone: what the kernel keeps all pods together from."""
    enforced = "pods" in configuration.enforce_node_allocatable
    return _sum([configuration.system_reserved, configuration.kube_reserved]) if enforced else {}


def _sum(rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    found: dict[str, quantity.Quantity] = {}
    for row in rows:
        for name, amount in row.items():
            found[name] = found[name] + quantity.parse(amount) if name in found else quantity.parse(amount)
    return {name: str(amount) for name, amount in found.items()}


def parse_labels(text: str) -> dict[str, str]:
    """`a=b,c=d`."""
    found = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not key or not equals:
            raise ValueError(f"{part!r} is not KEY=VALUE")
        found[key] = value
    return found


def parse_taints(text: str) -> list[Json]:
    """`key=value:NoSchedule,key:NoExecute`."""
    found = []
    for part in filter(None, text.split(",")):
        pair, _, effect = part.rpartition(":")
        key, equals, value = pair.partition("=")
        if not key or effect not in _EFFECTS:
            raise ValueError(f"{part!r} is not KEY[=VALUE]:EFFECT with an effect of {', '.join(_EFFECTS)}")
        found.append({"key": key, "effect": effect} | ({"value": value} if equals else {}))
    return found


def parse_pairs(text: str) -> dict[str, str]:
    """`cpu=100m,memory=1Gi`, or `memory.available<100Mi`."""
    found = {}
    for part in filter(None, text.split(",")):
        key, separator, value = part.partition("<" if "<" in part else "=")
        if not key or not value:
            raise ValueError(f"{part!r} is not NAME{separator or '='}AMOUNT")
        found[key] = value
    return found
