"""What storage drivers register: CSIDriver, CSINode, capacities, attachments, attribute classes.

Source: storage/validation.
"""

from apimachinery import quantity
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, part
from apiserver.strategies.problems import (
    Problems,
    dns_subdomain,
    duplicate,
    forbidden,
    immutable,
    invalid,
    label_selector,
    one_of,
    required,
)
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Strategy, WriteContext, as_sent, keep_status, never, status_without

_FLAGS = (("attachRequired", True), ("podInfoOnMount", False), ("storageCapacity", False), ("requiresRepublish", False),
          ("seLinuxMount", False))  # fmt: skip
_FS_GROUP = ("File", "None", "ReadWriteOnceWithFSType")
_MODES = ("Ephemeral", "Persistent")


def default_driver(tree: Json) -> Json:
    spec = part(tree, "spec")
    for name, value in _FLAGS:
        if spec.get(name) is None:
            spec[name] = value
    fill(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType")
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]
    return tree


def check_driver(new: Json, old: Json | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    problems = [*dns_subdomain("metadata.name", (new.get("metadata") or {}).get("name", "").lower())]
    for i, mode in enumerate(spec.get("volumeLifecycleModes") or ()):
        problems += one_of(f"spec.volumeLifecycleModes[{i}]", mode, _MODES)
    problems += one_of("spec.fsGroupPolicy", spec.get("fsGroupPolicy"), _FS_GROUP)
    if old is not None:
        before = old.get("spec") or {}
        for name in ("attachRequired", "volumeLifecycleModes"):
            problems += immutable(f"spec.{name}", spec.get(name), before.get(name))
    return problems


def check_node(new: Json, old: Json | None) -> list[FieldError]:
    return [*_node(new), *(_node_changes(new, old) if old is not None else ())]


def _node(tree: Json) -> Problems:
    seen: set[str] = set()
    for i, driver in enumerate((tree.get("spec") or {}).get("drivers") or ()):
        here, name = f"spec.drivers[{i}]", driver.get("name", "")
        if not name:
            yield required(f"{here}.name")
        if not driver.get("nodeID"):
            yield required(f"{here}.nodeID")
        if name in seen:
            yield duplicate(f"{here}.name", name)
        seen.add(name)


def _node_changes(new: Json, old: Json) -> Problems:
    before = {d.get("name"): d for d in (old.get("spec") or {}).get("drivers") or ()}
    for i, driver in enumerate((new.get("spec") or {}).get("drivers") or ()):
        was = before.get(driver.get("name"))
        if was is not None and not same({**driver, "allocatable": None}, {**was, "allocatable": None}):
            yield invalid(f"spec.drivers[{i}]", driver, "field is immutable")


def check_capacity(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*dns_subdomain("storageClassName", new.get("storageClassName", ""))]
    problems += label_selector("nodeTopology", new.get("nodeTopology"))
    for name in ("capacity", "maximumVolumeSize"):
        if new.get(name) is not None and quantity.parse(new[name]).nanos < 0:
            problems.append(invalid(name, new[name], "must be greater than or equal to 0"))
    if old is not None:
        for name in ("nodeTopology", "storageClassName"):
            problems += immutable(name, new.get(name), old.get(name))
    return problems


def check_attachment(new: Json, old: Json | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    problems = [required(f"spec.{name}") for name in ("attacher", "nodeName") if not spec.get(name)]
    source = spec.get("source") or {}
    given = [name for name in ("persistentVolumeName", "inlineVolumeSpec") if source.get(name)]
    if len(given) != 1:
        words = (
            "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
            if not given
            else ("must specify exactly one of inlineVolumeSpec or persistentVolumeName")
        )
        problems.append(required("spec.source", words) if not given else forbidden("spec.source", words))
    if old is not None and not same(spec, old.get("spec")):
        problems.append(invalid("spec", spec, "field is immutable"))
    return problems


def check_attributes(new: Json, old: Json | None) -> list[FieldError]:
    problems = [] if new.get("driverName") else [required("driverName")]
    if not new.get("parameters"):
        problems.append(required("parameters", "must contain at least one key/value pair"))
    if old is not None:
        problems += immutable("driverName", new.get("driverName"), old.get("driverName"))
        if not same(new.get("parameters"), old.get("parameters")):
            problems.append(forbidden("parameters", "updates to parameters are forbidden."))
    return problems


_RAISES = ("tokenRequests", "requiresRepublish", "seLinuxMount", "nodeAllocatableUpdatePeriodSeconds")


def stamp_driver(new: Json, old: Json | None, _context: WriteContext) -> Json:
    """A CSIDriver has no generation until what its nodes heed changes: then it counts up from none."""
    if old is not None:
        now, was = (tree.get("spec") or {} for tree in (new, old))
        if any(now.get(name) != was.get(name) for name in _RAISES):
            new["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1
    return new


CSIDRIVERS = Strategy(
    default=default_driver,
    prepare=as_sent,
    stamp=stamp_driver,
    check=check_driver,
    raises_generation=never,
    allow_unconditional_update=False,
)
CSINODES = Strategy(prepare=as_sent, check=check_node, allow_unconditional_update=False)
CSISTORAGECAPACITIES = Strategy(prepare=as_sent, check=check_capacity, allow_unconditional_update=False)
VOLUMEATTACHMENTS = Strategy(
    prepare=keep_status, prepare_status=status_without(), check=check_attachment, allow_unconditional_update=False
)
VOLUMEATTRIBUTESCLASSES = Strategy(prepare=as_sent, check=check_attributes)
