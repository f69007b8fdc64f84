"""Bodies to trees: JSON or YAML bytes, the apiVersion/kind they claim against what the path expects, names.

All refusals are 400 with upstream's wording (endpoints/handlers/rest.go: transformDecodeError, checkName). Unknown and
mistyped fields are the `prune` stage's business, since they matter for patches as well.
"""

from dataclasses import dataclass

import msgspec

from apimachinery import errors, schema, strict_json
from apimachinery.errors import FieldError
from apimachinery.kinds import BY_KIND, Kind
from apimachinery.types import Json
from apiserver import protobuf
from apiserver.call import Call
from apiserver.negotiation import PROTOBUF, YAML, body_type

_SCHEME = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"
#: Begins what is said of a document whose apiVersion and kind cannot be read.
UNREAD = "couldn't get version/kind; json parse error: "
_STRUCT = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


@dataclass(frozen=True, slots=True)
class Body:
    """A decoded body and the fields it named twice."""

    tree: Json
    duplicates: tuple[str, ...] = ()


async def body_of(
    call: Call, kind: Kind, *, duplicates: bool = False, older: str = "", any_version: bool = False
) -> Body:
    """The body of a request that should carry a `kind`, or its `older` version, which says the same.

    With `any_version`, whether a custom resource is what it should be is left to the caller: such a body is decoded
    first, since upstream tells of its unknown fields whatever it is. Raises 413, 415, and 400 for what cannot be read.
    """
    media_type = body_type(call.headers.get("content-type", ""))
    data = await call.body()
    if media_type == PROTOBUF:
        return Body(check_kind(_renewed(of_protobuf(data, kind), kind, older), kind))
    tree, doubled = strict_json.decode(data, is_yaml=media_type == YAML, duplicates=duplicates, expected=kind.kind)
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise strict_json.unrecognized(not_of_a_kind(tree), data, kind.kind)
    if not tree.get("kind") and _is_custom(kind):
        why = f"Object 'Kind' is missing in '{data.decode(errors='replace')}'"
        raise strict_json.unrecognized(why, data, kind.kind)
    if any_version and _is_custom(kind):
        if why := not_of_a_kind(tree):
            raise strict_json.unrecognized(why, data, kind.kind)
        return Body(tree, tuple(doubled))
    return Body(check_kind(_renewed(tree, kind, older), kind), tuple(doubled))


def _renewed(tree: Json, kind: Kind, older: str) -> Json:
    return {**tree, "apiVersion": kind.api_version} if older and tree.get("apiVersion") == older else tree


def not_of_a_kind(tree: object) -> str:
    """Why a document cannot even be asked for its apiVersion and kind, in Go's words; "" where it can."""
    if not isinstance(tree, dict):
        return f"{UNREAD}json: cannot unmarshal {go_type(tree)} into Go value of type {_STRUCT}"
    for member in ("apiVersion", "kind"):
        if (value := tree.get(member)) is not None and not isinstance(value, str):
            return f"{UNREAD}json: cannot unmarshal {go_type(value)} into Go struct field .{member} of type string"
    return ""


def go_type(value: object) -> str:
    """How Go's decoder calls a JSON value of this type."""
    return {dict: "object", list: "array", str: "string", bool: "bool", type(None): "null"}.get(type(value), "number")


def of_protobuf(data: bytes, kind: Kind) -> Json:
    """The tree of a protobuf body. Raises 400."""
    try:
        return protobuf.decode(data)
    except protobuf.Malformed as error:
        raise strict_json.unrecognized(str(error), data, kind.kind) from None


def check_kind(tree: Json, kind: Kind) -> Json:
    """The tree with apiVersion and kind filled in. Raises 400 when it claims to be something else."""
    version, name = tree.get("apiVersion") or kind.api_version, tree.get("kind") or kind.kind
    if why := not_of_a_kind(tree):
        raise strict_json.unrecognized(why, msgspec.json.encode(tree), kind.kind)
    if (version, name) != (kind.api_version, kind.kind):
        is_of_version = version == kind.api_version and _is_custom(kind)
        raise mistaken(tree, kind) if is_of_version else _mismatch(version, name, kind)
    if tree.get("apiVersion") and tree.get("kind"):
        return tree
    return {**tree, "kind": name, "apiVersion": version}


def _is_custom(kind: Kind) -> bool:
    """Whether a kind is no Go type for upstream: then any kind can be read, and is judged later."""
    return schema.definition(kind) is None


def mistaken(tree: Json, kind: Kind) -> errors.ApiError:
    """422 for a custom object that says it is another kind: its own validation finds that, and names what it says."""
    said = {"kind": tree.get("kind") or "", "apiVersion": tree.get("apiVersion") or ""}
    wanted = {"kind": kind.kind, "apiVersion": kind.api_version}
    wrong = [name for name in said if said[name] != wanted[name]]
    problems = [FieldError(name, errors.INVALID, f"must be {wanted[name]}", said[name]) for name in wrong]
    group = said["apiVersion"].rpartition("/")[0]
    return errors.invalid(group, said["kind"], str(metadata_of(tree).get("name") or ""), problems)


def _mismatch(version: str, name: str, kind: Kind) -> errors.ApiError:
    short = version.rsplit("/", 1)[-1]
    is_custom = _is_custom(kind)
    if not {(version, name), (version, name.removesuffix("List"))} & BY_KIND.keys() and not is_custom:
        why = f'no kind "{name}" is registered for version "{version}" in scheme "{_SCHEME}"'
        return errors.bad_request(f'{name} in version "{short}" cannot be handled as a {kind.kind}: {why}')
    if name == kind.kind or is_custom:
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
        kind, version = tree.get("kind", ""), str(tree.get("apiVersion", "")).rsplit("/", 1)[-1]
        why = f"json: cannot unmarshal {go_type(metadata)} into Go struct field {kind}.metadata of type v1.ObjectMeta"
        raise errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')
    return metadata


def place(tree: Json, kind: Kind, namespace: str) -> Json:
    """The tree in the request's namespace, in none where the kind has none. Raises 400 when it says another."""
    metadata = metadata_of(tree)
    if not kind.namespaced:
        metadata.pop("namespace", None)  # whatever it says (EnsureObjectNamespaceMatchesRequestNamespace)
        return tree
    said = metadata.get("namespace") or ""
    if said and said != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata["namespace"] = namespace
    return tree


def unnamed(name: str) -> errors.ApiError:
    """400 for an object that does not say its name where the URL does."""
    return errors.bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")


def check_name(tree: Json, name: str) -> None:
    """Raise 400 unless the object is named as the URL says."""
    said = metadata_of(tree).get("name") or ""
    if not said:
        raise unnamed(name)
    if said != name:
        raise errors.bad_request(f"the name of the object ({said}) does not match the name on the URL ({name})")
