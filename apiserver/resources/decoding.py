"""Bodies to trees: JSON or YAML bytes, the apiVersion/kind they claim against what the path expects, names.

All refusals are 400 with upstream's wording (endpoints/handlers/rest.go: transformDecodeError, checkName). Unknown and
mistyped fields are the `prune` stage's business, since they matter for patches as well.
"""

from dataclasses import dataclass

from apimachinery import errors, strict_json
from apimachinery.kinds import BY_KIND, Kind
from apimachinery.types import Json
from apiserver.negotiation import JSON

_SCHEME = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"
_SUMMARY = 30
#: Deeper trees are refused before anything recursive sees them (encoding/json's own limit is 10,000).
DEEPEST = 500


@dataclass(frozen=True, slots=True)
class Body:
    """A decoded body and the fields it named twice."""

    tree: Json
    duplicates: tuple[str, ...] = ()


def decode(data: bytes, media_type: str, kind: Kind) -> Body:
    """The tree of a body that should be a `kind`. Raises 400 for what cannot be read or is no object."""
    try:
        found = strict_json.decode_json(data) if media_type == JSON else strict_json.decode_yaml(data)
    except ValueError as error:
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {error}", data) from None
    if not isinstance(found.tree, dict):
        name = {list: "array", str: "string", bool: "bool", type(None): "null"}.get(type(found.tree), "number")
        why = (
            f"couldn't get version/kind; json parse error: json: cannot unmarshal {name} into Go value of type struct "
            '{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
        raise _unrecognized(kind, why, data)
    return Body(found.tree, tuple(found.duplicates))


def _unrecognized(kind: Kind, why: str, data: bytes) -> errors.ApiError:
    text = f"the object provided is unrecognized (must be of type {kind.kind}): {why} ({_summary(data)})"
    return errors.bad_request(text)


def _summary(data: bytes) -> str:
    """The start of a body, as upstream shows it: text where it looks like JSON, else hexadecimal."""
    start = data[:_SUMMARY]
    more = " ..." if len(data) > _SUMMARY else ""
    if start[:1] == b"{":
        return start.decode("utf-8", "replace") + more
    return start.hex() + more


def check_kind(tree: Json, kind: Kind) -> Json:
    """The tree with apiVersion and kind filled in. Raises 400 when it claims to be something else."""
    version, name = tree.get("apiVersion") or kind.api_version, tree.get("kind") or kind.kind
    if not isinstance(version, str) or not isinstance(name, str):
        raise errors.bad_request("couldn't get version/kind; json parse error: apiVersion and kind must be strings")
    if (version, name) != (kind.api_version, kind.kind):
        raise _mismatch(version, name, kind)
    if "apiVersion" in tree and "kind" in tree:
        return tree
    return {**tree, "kind": name, "apiVersion": version}


def _mismatch(version: str, name: str, kind: Kind) -> errors.ApiError:
    short = version.rsplit("/", 1)[-1]
    if (version, name) not in BY_KIND:
        why = f'no kind "{name}" is registered for version "{version}" in scheme "{_SCHEME}"'
        return errors.bad_request(f'{name} in version "{short}" cannot be handled as a {kind.kind}: {why}')
    if name == kind.kind:
        return errors.bad_request(
            f"the API version in the data ({version}) does not match the expected API version ({kind.api_version})"
        )
    why = f"converting ({short}.{name}) to ({kind.group or 'core'}.{kind.kind}): unknown conversion"
    return errors.bad_request(f'{name} in version "{short}" cannot be handled as a {kind.kind}: {why}')


def metadata_of(tree: Json) -> Json:
    """The tree's metadata, put there when missing. Raises 400 when it is no object."""
    metadata = tree.get("metadata")
    if metadata is None:
        metadata = tree["metadata"] = {}
    if not isinstance(metadata, dict):
        raise errors.bad_request("json: cannot unmarshal metadata into Go struct field of type v1.ObjectMeta")
    return metadata


def place(tree: Json, kind: Kind, namespace: str) -> Json:
    """The tree in the request's namespace. Raises 400 when it says another."""
    metadata = metadata_of(tree)
    said = metadata.get("namespace") or ""
    if not kind.namespaced:
        if said:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        metadata.pop("namespace", None)
        return tree
    if said and said != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata["namespace"] = namespace
    return tree


def check_name(tree: Json, name: str) -> None:
    """Raise 400 unless the object is named as the URL says."""
    said = metadata_of(tree).get("name") or ""
    if not said:
        raise errors.bad_request(
            f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )
    if said != name:
        raise errors.bad_request(f"the name of the object ({said}) does not match the name on the URL ({name})")
