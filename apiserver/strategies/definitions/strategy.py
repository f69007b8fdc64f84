"""The Strategy of CustomResourceDefinitions. Source: pkg/registry/customresourcedefinition/strategy.go."""

from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, part
from apiserver.strategies.definitions import spec, walking
from apiserver.strategies.strategy import Strategy
from apiserver.structural import formats


def default(tree: Json) -> Json:
    """Names that follow from others, no conversion, the webhook's port."""
    described = part(tree, "spec")
    called = part(described, "names")
    fill(called, "singular", (called.get("kind") or "").lower())
    if called.get("kind"):
        fill(called, "listKind", f"{called['kind']}List")
    if not called["singular"]:
        del called["singular"]
    if described.get("conversion") is None:
        described["conversion"] = {"strategy": "None"}
    service = ((described["conversion"].get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = 443
    _store(tree)
    return tree


def _store(tree: Json) -> None:
    status = part(tree, "status")
    if not status.get("storedVersions"):
        status["storedVersions"] = _storage_versions(tree)


def _storage_versions(tree: Json) -> list[str]:
    versions = (tree.get("spec") or {}).get("versions") or ()
    return [version.get("name", "") for version in versions if version.get("storage")][:1]


def prepare(new: Json, old: Json | None) -> Json:
    """A new definition has no status but the version it is stored in; what is stored once is remembered."""
    new["status"] = dict((old or {}).get("status") or {})
    stored = list(new["status"].get("storedVersions") or ())
    new["status"]["storedVersions"] = [*stored, *(name for name in _storage_versions(new) if name not in stored)]
    return new


def _only_status(new: Json, old: Json | None) -> Json:
    """Of a status write the spec stays as it was; the metadata does not, as upstream resets it to itself."""
    assert old is not None
    return {**new, "spec": old["spec"]}


def check(new: Json, old: Json | None) -> list[FieldError]:
    return spec.check(new, old)


def check_status(new: Json, _old: Json | None) -> list[FieldError]:
    return [*spec.check_status(new)]


def warnings(new: Json, old: Json | None) -> list[str]:
    """Formats that nothing checks, those that are new."""
    known = set(_unknown_formats(old)) if old is not None else set[str]()
    return [f'unrecognized format "{name}"' for name in _unknown_formats(new) if name not in known]


def _unknown_formats(tree: Json) -> list[str]:
    versions = tree["spec"].get("versions") or ()
    found = [(version.get("schema") or {}).get("openAPIV3Schema") or {} for version in versions]
    everything = [inner for one in found for inner in walking.schemas(one)]
    names = [inner["format"] for inner in everything if inner.get("format") and inner.get("type") == "string"]
    return [name for name in names if not formats.is_known(name)]


CUSTOMRESOURCEDEFINITIONS = Strategy(
    default=default,
    prepare=prepare,
    check=check,
    prepare_status=_only_status,
    check_status=check_status,
    warnings=warnings,
    has_generation=True,
    any_finalizer=True,
    allow_unconditional_update=False,
)
