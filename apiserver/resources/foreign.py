"""Values that an upstream server stored, as ours: from protobuf, in the version that we store, with today's defaults.

Upstream v1.34 stores some kinds in another version than it serves (resource.k8s.io/v1beta2, CRDs as v1beta1), and what
an older server wrote stays as it was until it is written again. Upstream sets a kind's defaults on whatever it reads,
so that an object shows them without having been stored with them; so do we with what we did not write ourselves.
Fields that follow from others are filled in as well (`complete` of a strategy; upstream's defaultOnRead).
Source: pkg/kubeapiserver/default_storage_factory_builder.go, apiextensions-apiserver/pkg/apis/apiextensions/v1.
"""

from collections.abc import Callable, Mapping

from apimachinery.autoscalers import to_v2
from apimachinery.kinds import KNOWN, Kind
from apimachinery.types import Json
from apiserver import protobuf
from apiserver.registry import stored_kind
from apiserver.strategies import strategy_of

_STORED = {(kind.group, kind.kind): stored_kind(kind) for kind in KNOWN}


def decode(value: bytes, *, primary: str = "IPv4") -> Json:
    """The object as we would store it in a cluster of that first IP family. Raises ValueError for what is none."""
    tree = protobuf.decode_stored(value)
    api_version, name = tree["apiVersion"], tree["kind"]
    kind = _STORED.get((api_version.rpartition("/")[0], name))
    if kind is None:
        return tree
    if api_version != kind.api_version:
        tree = {**_converted(tree, kind), "apiVersion": kind.api_version}
    strategy = strategy_of(kind)
    return protobuf.shaped(strategy.complete(strategy.default(tree), primary))


def _converted(tree: Json, kind: Kind) -> Json:
    change = _CHANGES.get((kind.kind, tree["apiVersion"]))
    if change is not None:
        return change(tree)
    if (kind.group, kind.kind) in _REWRITTEN and tree["apiVersion"] not in _LIKE_V1:
        raise ValueError(f"no conversion from {tree['apiVersion']} to {kind.api_version} is known for {kind.kind}")
    return tree


def _request(request: Json) -> Json:
    """A device request: its fields lie in `exactly` today, unless it is a list of alternatives."""
    if request.get("firstAvailable"):
        return request
    exactly = {field: value for field, value in request.items() if field != "name"}
    return {"name": request["name"], "exactly": exactly}


def _claim_spec(spec: Json) -> Json:
    devices = spec.get("devices") or {}
    requests = [_request(request) for request in devices.get("requests") or ()]
    return {**spec, "devices": {**devices, "requests": requests}}


def _claim(tree: Json) -> Json:
    return {**tree, "spec": _claim_spec(tree.get("spec") or {})}


def _claim_template(tree: Json) -> Json:
    spec = tree.get("spec") or {}
    return {**tree, "spec": {**spec, "spec": _claim_spec(spec.get("spec") or {})}}


def _slice(tree: Json) -> Json:
    spec = tree["spec"]
    devices = [{"name": device["name"], **(device.get("basic") or {})} for device in spec.get("devices") or ()]
    return {**tree, "spec": {**spec, "devices": devices}}


def _definition(tree: Json) -> Json:
    """A CustomResourceDefinition: what all its versions share stands beside them in the form that upstream stores."""
    spec = dict(tree["spec"])
    name = spec.pop("version", "")
    versions = spec.get("versions") or [{"name": name, "served": True, "storage": True}]
    shared = {
        "schema": spec.pop("validation", None),
        "subresources": spec.pop("subresources", None),
        "additionalPrinterColumns": spec.pop("additionalPrinterColumns", None),
        "selectableFields": spec.pop("selectableFields", None),
    }
    shared = {field: value for field, value in shared.items() if value is not None}
    spec["versions"] = [_version({**version, **shared}) for version in versions]
    spec.setdefault("preserveUnknownFields", True)
    conversion = dict(spec.get("conversion") or {"strategy": "None"})
    client = conversion.pop("webhookClientConfig", None)
    reviews = conversion.pop("conversionReviewVersions", None)
    if client is not None or reviews is not None:
        webhook = {"conversionReviewVersions": reviews}
        conversion["webhook"] = {"clientConfig": client, **webhook} if client is not None else webhook
    return {**tree, "spec": {**spec, "conversion": conversion}}


def _version(version: Json) -> Json:
    columns = version.get("additionalPrinterColumns")
    if not columns:
        return version
    renamed = [{"jsonPath" if name == "JSONPath" else name: value for name, value in c.items()} for c in columns]
    return {**version, "additionalPrinterColumns": renamed}


def _priority_level(tree: Json) -> Json:
    spec = tree.get("spec") or {}
    limited = dict(spec.get("limited") or {})
    if "assuredConcurrencyShares" in limited:
        limited["nominalConcurrencyShares"] = limited.pop("assuredConcurrencyShares")
    return {**tree, "spec": {**spec, "limited": limited} if limited else spec}


#: (kind, the version it is stored in) -> the change to ours.
_CHANGES: Mapping[tuple[str, str], Callable[[Json], Json]] = {
    ("CustomResourceDefinition", "apiextensions.k8s.io/v1beta1"): _definition,
    ("HorizontalPodAutoscaler", "autoscaling/v1"): to_v2,
    ("PriorityLevelConfiguration", "flowcontrol.apiserver.k8s.io/v1beta1"): _priority_level,
    ("PriorityLevelConfiguration", "flowcontrol.apiserver.k8s.io/v1beta2"): _priority_level,
    ("ResourceClaim", "resource.k8s.io/v1beta1"): _claim,
    ("ResourceClaimTemplate", "resource.k8s.io/v1beta1"): _claim_template,
    ("ResourceSlice", "resource.k8s.io/v1beta1"): _slice,
}
#: Kinds whose betas look different; those of all others became v1 as they were.
_REWRITTEN = frozenset(
    {
        ("apps", "Deployment"),
        ("autoscaling", "HorizontalPodAutoscaler"),
        ("discovery.k8s.io", "EndpointSlice"),
        ("networking.k8s.io", "Ingress"),
        ("resource.k8s.io", "ResourceClaim"),
        ("resource.k8s.io", "ResourceClaimTemplate"),
        ("resource.k8s.io", "ResourceSlice"),
    }
)
_LIKE_V1 = ("apps/v1beta2", "resource.k8s.io/v1beta2")
