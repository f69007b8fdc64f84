"""What a pod's author should hear about of its volumes: plugins of the past, and files in one another's way.

Source: pkg/api/pod/warnings.go.
"""

from collections.abc import Iterator, Sequence

from apimachinery.errors import go_quoted
from apimachinery.types import Json
from apiserver.strategies.object_warnings import claim_spec

_OLD = (
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("ephemeral", "", ""),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
)
_Path = tuple[str, str]  # the path of a file, and where it comes from


def of_volumes(path: str, volumes: Sequence[Json]) -> Iterator[str]:
    """Of all volumes of a pod."""
    for i, volume in enumerate(volumes):
        for name, shown, text in _OLD:
            if volume.get(name) is None:
                continue
            if text:
                yield f"{path}[{i}].{shown}: {text}"
            elif template := volume[name].get("volumeClaimTemplate"):
                yield from claim_spec(f"{path}[{i}].ephemeral.volumeClaimTemplate.spec", template.get("spec") or {})
    for volume in volumes:
        yield from _overlaps(volume)


def _overlaps(volume: Json) -> Iterator[str]:
    name = go_quoted(volume.get("name", ""))
    for member, what, key in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        source = volume.get(member) or {}
        yield from _colliding(name, f"{what} {go_quoted(source.get(key, ''))}", _paths(source))
    yield from _colliding(name, "DownwardAPI", _paths(volume.get("downwardAPI") or {}))
    found: list[_Path] = []
    for source in (volume.get("projected") or {}).get("sources") or ():
        if not source:
            yield f"volume {name} (Projected) has no sources provided"
        found += _projected(source)
    yield from _colliding(name, "Projected", found)


def _paths(source: Json, what: str = "") -> list[_Path]:
    return [(item.get("path", ""), what) for item in source.get("items") or ()]


def _projected(source: Json) -> list[_Path]:
    for member, what in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if (source.get(member) or {}).get("items"):
            return _paths(source[member], f"{what} {go_quoted(source[member].get('name', ''))}")
    if (source.get("downwardAPI") or {}).get("items"):
        return _paths(source["downwardAPI"], "DownwardAPI")
    token = source.get("serviceAccountToken")
    return [] if token is None else [(token.get("path", ""), "ServiceAccountToken")]


def _colliding(name: str, what: str, paths: Sequence[_Path]) -> Iterator[str]:
    seen: list[_Path] = []
    for path, source in paths:
        plain = path.rstrip("/")
        for other, origin in seen:
            if plain and other and (_is_in(plain, other) or _is_in(other, plain)):
                both = f"{_shown(plain, source)} with {_shown(other, origin)}"
                yield f"volume {name} ({what}): overlapping paths: {both}"
        seen.append((plain, source))


def _is_in(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/")


def _shown(path: str, source: str) -> str:
    return f"{go_quoted(path)} ({source})" if source else go_quoted(path)
