"""What storage drivers register: CSIDriver, CSINode, capacities, attachments, attribute classes.

Source: storage/validation.
"""

from collections.abc import Sequence

from apimachinery import quantity
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill_absent, part
from apiserver.strategies.persistence import inline_volume, parameters, provisioner
from apiserver.strategies.pod.defaults import persistent_volume_source
from apiserver.strategies.pod.remote_sources import csi_driver
from apiserver.strategies.problems import (
    Problems,
    dns_subdomain,
    duplicate,
    forbidden,
    immutable,
    invalid,
    kept,
    label_selector,
    non_negative,
    qualified_name,
    required,
    supported,
    too_long,
)
from apiserver.strategies.strategy import Strategy, WriteContext, as_sent, keep_status, never, status_without

_FLAGS = (("attachRequired", True), ("podInfoOnMount", False), ("storageCapacity", False), ("requiresRepublish", False),
          ("seLinuxMount", False))  # fmt: skip
_FS_GROUP = ("File", "None", "ReadWriteOnceWithFSType")
_MODES = ("Persistent", "Ephemeral")
_GATED = "nodeAllocatableUpdatePeriodSeconds"
_LONGEST_NODE_ID = 256
_ERRORS = ("attachError", "detachError")
_attachment_prepared = status_without()
_METADATA_BYTES, _MESSAGE_BYTES = 256 * 1024, 1024


def default_driver(tree: Json) -> Json:
    spec = part(tree, "spec")
    for name, value in _FLAGS:
        if spec.get(name) is None:
            spec[name] = value
    fill_absent(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType")
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]
    return tree


def _prepare_driver(new: Json, old: Json | None) -> Json:
    """How often a node's driver is asked how many volumes it takes is behind a gate that is off, but stays."""
    if ((old or {}).get("spec") or {}).get(_GATED) is None:
        new["spec"].pop(_GATED, None)
    return new


def check_driver(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_driver(new.get("spec") or {})]
    if old is not None:
        now, was = new.get("spec") or {}, old.get("spec") or {}
        for name, path in (("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes")):
            problems += immutable(f"spec.{path}", now.get(name), was.get(name))
    return problems


def _driver(spec: Json) -> Problems:
    yield from supported("spec.fsGroupPolicy", spec.get("fsGroupPolicy"), _FS_GROUP)
    yield from _token_requests("spec.tokenRequests", spec.get("tokenRequests") or ())
    for mode in spec.get("volumeLifecycleModes") or ():
        yield from supported("spec.volumeLifecycleModes", mode, _MODES)


def _token_requests(path: str, requests: Sequence[Json]) -> Problems:
    """No audience twice; how long a token is good for is bounded."""
    seen: set[str] = set()
    for i, request in enumerate(requests):
        audience, seconds = request.get("audience", ""), request.get("expirationSeconds")
        if audience in seen:
            yield duplicate(f"{path}[{i}].audience", audience)
            continue
        seen.add(audience)
        if seconds is not None and seconds < 600:
            yield invalid(f"{path}[{i}].expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
        if seconds is not None and seconds > 1 << 32:
            detail = "may not specify a duration larger than 2^32 seconds"
            yield invalid(f"{path}[{i}].expirationSeconds", seconds, detail)


def check_node(new: Json, old: Json | None) -> list[FieldError]:
    drivers = (new.get("spec") or {}).get("drivers") or ()
    problems = [*_node(drivers)]
    if old is None:
        return problems
    return [*problems, *problems, *_node_changes(drivers, (old.get("spec") or {}).get("drivers") or ())]


def _node(drivers: Sequence[Json]) -> Problems:
    seen: set[str] = set()
    for i, driver in enumerate(drivers):
        here, name = f"spec.drivers[{i}]", driver.get("name", "")
        yield from csi_driver(f"{here}.name", name)
        yield from _node_id(f"{here}.nodeID", driver.get("nodeID", ""))
        count = (driver.get("allocatable") or {}).get("count")
        yield from non_negative(f"{here}.allocatable.count", count)
        if name in seen:
            yield duplicate(f"{here}.name", name)
        seen.add(name)
        yield from _topology_keys(here, driver.get("topologyKeys") or ())


def _node_id(path: str, value: str) -> Problems:
    if not value:
        yield required(path)
    if len(value.encode()) > _LONGEST_NODE_ID:
        yield invalid(path, value, f"must be {_LONGEST_NODE_ID} characters or less")


def _topology_keys(path: str, keys: Sequence[str]) -> Problems:
    """Upstream's paths are those of the driver."""
    seen: set[str] = set()
    for key in keys:
        if not key:
            yield required(path)
        if key in seen:
            yield duplicate(path, key)
        seen.add(key)
        yield from qualified_name(path, key)


def _node_changes(drivers: Sequence[Json], before: Sequence[Json]) -> Problems:
    """A driver stays as it has registered."""
    for was in before:
        for driver in drivers:
            if driver.get("name") == was.get("name"):
                yield from kept("spec.drivers", "storage.CSINodeDriver", driver, was)


def check_capacity(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*label_selector("nodeTopology", new.get("nodeTopology"))]
    problems += dns_subdomain("storageClassName", new.get("storageClassName", ""))
    if new.get("capacity") is not None and quantity.parse(new["capacity"]).nanos < 0:
        problems.append(invalid("capacity", new["capacity"], "must be greater than or equal to 0"))
    if old is not None:
        problems += kept("nodeTopology", "*metav1.LabelSelector", new.get("nodeTopology"), old.get("nodeTopology"))
        problems += immutable("storageClassName", new.get("storageClassName"), old.get("storageClassName"))
    return problems


def check_attachment(new: Json, old: Json | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    problems = [*_attachment(spec), *_attachment_status(new.get("status") or {})]
    if old is None:
        return [*problems, *_attachment_in_v1(spec)]
    problems += problems
    return [*problems, *kept("spec", "storage.VolumeAttachmentSpec", spec, old.get("spec"))]


def _attachment(spec: Json) -> Problems:
    if not spec.get("attacher"):
        yield required("spec.attacher")
    source, here = spec.get("source") or {}, "spec.source"
    inline, volume = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
    if inline is None and volume is None:
        yield required(here, detail)
    elif inline is not None and volume is not None:
        yield forbidden(here, detail)
    elif volume is not None:
        if not volume:
            yield required(f"{here}.persistentVolumeName", "must specify non empty persistentVolumeName")
    else:
        yield from inline_volume(f"{here}.inlineVolumeSpec", inline or {})
    yield from dns_subdomain("spec.nodeName", spec.get("nodeName", ""))


def _attachment_in_v1(spec: Json) -> Problems:
    """What v1 asks for beyond its betas."""
    yield from csi_driver("spec.attacher", spec.get("attacher", ""))
    volume = (spec.get("source") or {}).get("persistentVolumeName")
    if volume is not None:
        yield from dns_subdomain("spec.source.persistentVolumeName", volume)


def _attachment_status(status: Json) -> Problems:
    metadata = status.get("attachmentMetadata") or {}
    if sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items()) > _METADATA_BYTES:
        yield too_long("status.attachmentMetadata", _METADATA_BYTES)
    for name in _ERRORS:
        error = status.get(name) or {}
        if len((error.get("message") or "").encode()) > _MESSAGE_BYTES:
            yield too_long(f"status.{name}.message", _METADATA_BYTES)  # upstream names the other bound
        if (error.get("errorCode") or 0) < 0:
            detail = "must be between 0 and 2147483647, inclusive"
            yield invalid(f"status.{name}.errorCode", error["errorCode"], detail)


def default_attachment(tree: Json) -> Json:
    """The defaults of a volume that lies in the attachment itself."""
    volume = ((tree.get("spec") or {}).get("source") or {}).get("inlineVolumeSpec")
    if volume is not None:
        persistent_volume_source(volume)
    return tree


def prepare_attachment_status(new: Json, old: Json | None) -> Json:
    """The codes of errors are left out: MutableCSINodeAllocatableCount is off, unless old ones are there."""
    made = _attachment_prepared(new, old)
    status, before = made.get("status") or {}, ((old or {}).get("status") or {})
    uncoded = {
        name: {field: value for field, value in status[name].items() if field != "errorCode"}
        for name in _ERRORS
        if status.get(name) and (before.get(name) or {}).get("errorCode") is None
    }
    return {**made, "status": {**status, **uncoded}} if uncoded else made


def check_attachment_status(new: Json, _old: Json | None) -> list[FieldError]:
    problems = [*_attachment(new.get("spec") or {}), *_attachment_status(new.get("status") or {})]
    return [*problems, *problems]


def check_attributes(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*provisioner("driverName", new.get("driverName", "")), *parameters(new.get("parameters") or {})]
    if not new.get("parameters"):
        problems.append(required("parameters", "must contain at least one key/value pair"))
    if old is None:
        return problems
    changes = [
        forbidden(name, f"updates to {name} are forbidden.")
        for name in ("driverName", "parameters")
        if new.get(name) != old.get(name)
    ]
    return [*problems, *changes, *problems]


def stamp_driver(new: Json, old: Json | None, _context: WriteContext) -> Json:
    """A CSIDriver has no generation until its spec changes: then it counts up from none."""
    if old is not None and (new.get("spec") or {}) != (old.get("spec") or {}):
        new["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1
    return new


CSIDRIVERS = Strategy(
    default=default_driver,
    prepare=_prepare_driver,
    stamp=stamp_driver,
    check=check_driver,
    raises_generation=never,
    allow_unconditional_update=False,
)
CSINODES = Strategy(prepare=as_sent, check=check_node, allow_unconditional_update=False)
CSISTORAGECAPACITIES = Strategy(prepare=as_sent, check=check_capacity, allow_unconditional_update=False)
VOLUMEATTACHMENTS = Strategy(
    default=default_attachment,
    prepare=keep_status,
    prepare_status=prepare_attachment_status,
    check=check_attachment,
    check_status=check_attachment_status,
    allow_unconditional_update=False,
)
VOLUMEATTRIBUTESCLASSES = Strategy(prepare=as_sent, check=check_attributes)
