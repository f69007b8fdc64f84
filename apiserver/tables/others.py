"""The tables of storage, policies, admission, flow control, aggregation and devices.

Source: pkg/printers/internalversion/printers.go.
"""

from apimachinery.types import Json
from apiserver.tables.ages import since
from apiserver.tables.table import (
    AGE,
    NAME,
    NONE,
    Cells,
    Column,
    Table,
    age,
    condition,
    joined,
    name_of,
    number,
    spec_of,
    status_of,
    table,
    text,
    truth,
    wide,
)

_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def _modes(values: object) -> str:
    """Access modes by their short names, in a fixed order and each once."""
    given = values if isinstance(values, list) else []
    return joined(short for name, short in _MODES.items() if name in given)


def _class_of(tree: Json) -> str:
    """The class of a volume or a claim: that of the old annotation where it is there, even when it is empty."""
    annotations = tree["metadata"].get("annotations") or {}
    return str(annotations.get(_OLD_CLASS, spec_of(tree).get("storageClassName") or ""))


def _or_unset(value: str | None) -> str:
    return "<unset>" if value is None else value


def _volume(tree: Json, now: float) -> Cells:
    spec, status = spec_of(tree), status_of(tree)
    claim = spec.get("claimRef")
    phase = "Terminating" if tree["metadata"].get("deletionTimestamp") else status.get("phase", "")
    return [
        (spec.get("capacity") or {}).get("storage", "0"),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        phase,
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class_of(tree),
        _or_unset(spec.get("volumeAttributesClassName")),
        status.get("reason", ""),
        age(tree, now),
        _or_unset(spec.get("volumeMode")),
    ]


def _claim(tree: Json, now: float) -> Cells:
    spec, status = spec_of(tree), status_of(tree)
    bound = bool(spec.get("volumeName"))
    phase = "Terminating" if tree["metadata"].get("deletionTimestamp") else status.get("phase", "")
    return [
        phase,
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "0") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        _class_of(tree),
        _or_unset(spec.get("volumeAttributesClassName")),
        age(tree, now),
        _or_unset(spec.get("volumeMode")),
    ]


def _class(tree: Json, now: float) -> Cells:
    annotations = tree["metadata"].get("annotations") or {}
    default = " (default)" if any(annotations.get(name) == "true" for name in _DEFAULT_CLASS) else ""
    return [
        name_of(tree) + default,
        tree.get("provisioner", ""),
        tree.get("reclaimPolicy") or "Delete",
        tree.get("volumeBindingMode") or "Immediate",
        bool(tree.get("allowVolumeExpansion")),
        age(tree, now),
    ]


def _driver(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    tokens = spec.get("tokenRequests")
    return [
        spec.get("attachRequired", True),
        spec.get("podInfoOnMount", False),
        spec.get("storageCapacity", False),
        "<unset>" if tokens is None else joined(request.get("audience", "") for request in tokens),
        spec.get("requiresRepublish", False),
        joined(spec.get("volumeLifecycleModes") or ()) or NONE,
        age(tree, now),
    ]


def _csi_node(tree: Json, now: float) -> Cells:
    return [len(spec_of(tree).get("drivers") or ()), age(tree, now)]


def _attachment(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    volume = (spec.get("source") or {}).get("persistentVolumeName", "")
    attached = bool(status_of(tree).get("attached"))
    return [spec.get("attacher", ""), volume, spec.get("nodeName", ""), attached, age(tree, now)]


def _attributes(tree: Json, now: float) -> Cells:
    return [tree.get("driverName", ""), age(tree, now)]


def _budget(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    bounds = ["N/A" if spec.get(name) is None else str(spec[name]) for name in ("minAvailable", "maxUnavailable")]
    return [*bounds, status_of(tree).get("disruptionsAllowed", 0), age(tree, now)]


def _priority(tree: Json, now: float) -> Cells:
    return [tree.get("value", 0), bool(tree.get("globalDefault")), age(tree, now), tree.get("preemptionPolicy", "")]


def _runtime(tree: Json, now: float) -> Cells:
    return [tree.get("handler", ""), age(tree, now)]


def _webhooks(tree: Json, now: float) -> Cells:
    return [len(tree.get("webhooks") or ()), age(tree, now)]


def _policy(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    return [len(spec.get("validations") or ()), _param_kind(spec), age(tree, now)]


def _mutating_policy(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    return [len(spec.get("mutations") or ()), _param_kind(spec), age(tree, now)]


def _param_kind(spec: Json) -> str:
    kind = spec.get("paramKind")
    return f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else "<unset>"


def _policy_binding(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    reference = spec.get("paramRef") or {}
    shown = "<unset>"
    if name := reference.get("name"):
        shown = f"{reference.get('namespace') or '*'}/{name}"
    elif reference.get("selector") is not None:
        shown = _go_selector(reference["selector"])
    return [spec.get("policyName", ""), shown, age(tree, now)]


def _go_selector(selector: Json) -> str:
    """A label selector as Go's String() of its message writes it."""
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    rows = "".join(
        f"LabelSelectorRequirement{{Key:{row['key']},Operator:{row['operator']},"
        f"Values:[{' '.join(row.get('values') or ())}],}},"
        for row in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{rows}}},}}"
    )


def _flow_schema(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    dangling = condition(tree, "Dangling")
    return [
        (spec.get("priorityLevelConfiguration") or {}).get("name", ""),
        spec.get("matchingPrecedence", 0),
        (spec.get("distinguisherMethod") or {}).get("type") or NONE,
        since(tree["metadata"].get("creationTimestamp"), now),
        dangling.get("status") or "?",
    ]


def _priority_level(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    limited = spec.get("limited") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
    shares = limited.get("nominalConcurrencyShares")
    numbers = [queuing.get(name, NONE) for name in ("queues", "handSize", "queueLengthLimit")]
    return [spec.get("type", ""), NONE if shares is None else shares, *numbers, age(tree, now)]


def _device_claim(tree: Json, now: float) -> Cells:
    status = status_of(tree)
    allocated = status.get("allocation") is not None
    states = [
        word
        for word, holds in (
            ("deleted", tree["metadata"].get("deletionTimestamp")),
            ("allocated", allocated),
            ("reserved", allocated and status.get("reservedFor")),
        )
        if holds
    ]
    return [joined(states) or "pending", age(tree, now)]


def _api_service(tree: Json, now: float) -> Cells:
    service, found = spec_of(tree).get("service"), condition(tree, "Available")
    status = found.get("status", "Unknown")
    if status != "True" and found.get("reason"):
        status = f"{status} ({found['reason']})"
    return [f"{service['namespace']}/{service['name']}" if service else "Local", status, age(tree, now)]


def _aged(tree: Json, now: float) -> Cells:
    return [age(tree, now)]


def _device_slice(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    pool = (spec.get("pool") or {}).get("name", "")
    return [spec.get("nodeName", ""), spec.get("driver", ""), pool, age(tree, now)]


PERSISTENTVOLUMES = table(
    text("Capacity"),
    text("Access Modes"),
    text("Reclaim Policy"),
    text("Status"),
    text("Claim"),
    text("StorageClass"),
    text("VolumeAttributesClass"),
    text("Reason"),
    AGE,
    wide("VolumeMode"),
    cells=_volume,
)
PERSISTENTVOLUMECLAIMS = table(
    text("Status"),
    text("Volume"),
    text("Capacity"),
    text("Access Modes"),
    text("StorageClass"),
    text("VolumeAttributesClass"),
    AGE,
    wide("VolumeMode"),
    cells=_claim,
)
STORAGECLASSES = Table(
    (
        NAME,
        text("Provisioner"),
        text("ReclaimPolicy"),
        text("VolumeBindingMode"),
        text("AllowVolumeExpansion"),
        AGE,
    ),
    _class,
)
CSIDRIVERS = table(
    truth("AttachRequired"),
    truth("PodInfoOnMount"),
    truth("StorageCapacity"),
    text("TokenRequests"),
    truth("RequiresRepublish"),
    text("Modes"),
    AGE,
    cells=_driver,
)
CSINODES = table(number("Drivers"), AGE, cells=_csi_node)
VOLUMEATTACHMENTS = table(
    Column("Attacher", format="name"), text("PV"), text("Node"), truth("Attached"), AGE, cells=_attachment
)
VOLUMEATTRIBUTESCLASSES = table(text("DriverName"), AGE, cells=_attributes)
PODDISRUPTIONBUDGETS = table(
    text("Min Available"), text("Max Unavailable"), number("Allowed Disruptions"), AGE, cells=_budget
)
PRIORITYCLASSES = table(
    number("Value"), Column("Global-Default", type="boolean"), AGE, text("PreemptionPolicy"), cells=_priority
)
RUNTIMECLASSES = table(text("Handler"), AGE, cells=_runtime)
WEBHOOKCONFIGURATIONS = table(number("Webhooks"), AGE, cells=_webhooks)
VALIDATINGADMISSIONPOLICIES = table(number("Validations"), text("ParamKind"), AGE, cells=_policy)
MUTATINGADMISSIONPOLICIES = table(number("Mutations"), text("ParamKind"), AGE, cells=_mutating_policy)
ADMISSIONPOLICYBINDINGS = table(text("PolicyName"), text("ParamRef"), AGE, cells=_policy_binding)
FLOWSCHEMAS = table(
    text("PriorityLevel"),
    text("MatchingPrecedence"),
    text("DistinguisherMethod"),
    AGE,
    text("MissingPL"),
    cells=_flow_schema,
    order=lambda tree: (spec_of(tree).get("matchingPrecedence", 0), name_of(tree)),
)
PRIORITYLEVELCONFIGURATIONS = table(
    text("Type"),
    text("NominalConcurrencyShares"),
    text("Queues"),
    text("HandSize"),
    text("QueueLengthLimit"),
    AGE,
    cells=_priority_level,
)
APISERVICES = table(text("Service"), text("Available"), AGE, cells=_api_service)
RESOURCECLAIMS = table(text("State"), AGE, cells=_device_claim)
NAME_AND_AGE = table(AGE, cells=_aged)
RESOURCESLICES = table(text("Node"), text("Driver"), text("Pool"), AGE, cells=_device_slice)
