"""The tables of nodes, namespaces, configuration, rights and events.

Source: pkg/printers/internalversion/printers.go.
"""

from apimachinery.types import Json
from apiserver.tables.ages import human, since
from apiserver.tables.table import (
    AGE,
    CREATED_AT,
    NONE,
    Cells,
    Column,
    Table,
    age,
    condition,
    is_true,
    joined,
    name_of,
    spec_of,
    status_of,
    table,
    text,
    wide,
)

_ROLE = "node-role.kubernetes.io/"
_OLD_ROLE = "kubernetes.io/role"


def _node(tree: Json, now: float) -> Cells:
    spec, info = spec_of(tree), status_of(tree).get("nodeInfo") or {}
    ready = condition(tree, "Ready")
    status = "Unknown" if not ready else "Ready" if ready.get("status") == "True" else "NotReady"
    if spec.get("unschedulable"):
        status += ",SchedulingDisabled"
    return [
        status,
        joined(_roles(tree["metadata"].get("labels") or {})) or NONE,
        age(tree, now),
        info.get("kubeletVersion", ""),
        _node_address(tree, "InternalIP"),
        _node_address(tree, "ExternalIP"),
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _roles(labels: Json) -> list[str]:
    found = {key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE) and key != _ROLE}
    if labels.get(_OLD_ROLE):
        found.add(labels[_OLD_ROLE])
    return sorted(found)


def _node_address(tree: Json, kind: str) -> str:
    found = (a.get("address", "") for a in status_of(tree).get("addresses") or () if a.get("type") == kind)
    return next(found, NONE)


def _namespace(tree: Json, now: float) -> Cells:
    return [status_of(tree).get("phase", ""), age(tree, now)]


def _secret(tree: Json, now: float) -> Cells:
    return [tree.get("type", ""), len(tree.get("data") or {}), age(tree, now)]


def _config_map(tree: Json, now: float) -> Cells:
    return [len(tree.get("data") or {}) + len(tree.get("binaryData") or {}), age(tree, now)]


def _service_account(tree: Json, now: float) -> Cells:
    return [len(tree.get("secrets") or ()), age(tree, now)]


def _lease(tree: Json, now: float) -> Cells:
    return [spec_of(tree).get("holderIdentity") or "", age(tree, now)]


def _event(tree: Json, now: float) -> Cells:
    series = tree.get("series") or {}
    first = tree.get("firstTimestamp") or tree.get("deprecatedFirstTimestamp") or tree.get("eventTime")
    last = tree.get("lastTimestamp") or tree.get("deprecatedLastTimestamp") or first
    if series:
        last = series.get("lastObservedTime")
    about = tree.get("involvedObject") or tree.get("regarding") or {}
    count = series.get("count", 0) if series else tree.get("count") or tree.get("deprecatedCount") or 1
    return [
        since(last, now),
        tree.get("type", ""),
        tree.get("reason", ""),
        about.get("kind", "").lower() + (f"/{about['name']}" if about.get("name") else ""),
        about.get("fieldPath", ""),
        _source(tree),
        (tree.get("message") or tree.get("note") or "").strip(),
        since(first, now),
        count,
        name_of(tree),
    ]


def _source(tree: Json) -> str:
    source = tree.get("source") or tree.get("deprecatedSource") or {}
    component = source.get("component") or tree.get("reportingComponent") or tree.get("reportingController") or ""
    host = source.get("host") or tree.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


def _quota(tree: Json, now: float) -> Cells:
    """`pods: 1/2, requests.cpu: 1/4`: what is used of what is allowed, requests and limits apart."""
    status = status_of(tree)
    hard, used = status.get("hard") or {}, status.get("used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for name in sorted(hard):
        shown = f"{name}: {used.get(name, '0')}/{hard[name]}"
        (limits if name.startswith("limits") else requests).append(shown)
    return [", ".join(requests), ", ".join(limits), age(tree, now)]


def _created(tree: Json, _now: float) -> Cells:
    return [tree["metadata"].get("creationTimestamp")]


def _binding(tree: Json, now: float) -> Cells:
    reference, subjects = tree.get("roleRef") or {}, tree.get("subjects") or ()
    of_kind = {
        kind: ", ".join(s.get("name", "") for s in subjects if s.get("kind") == kind) for kind in ("User", "Group")
    }
    accounts = [s for s in subjects if s.get("kind") == "ServiceAccount"]
    shown = ", ".join(f"{s.get('namespace') or ''}/{s.get('name', '')}" for s in accounts)
    role = f"{reference.get('kind', '')}/{reference.get('name', '')}"
    return [role, age(tree, now), of_kind["User"], of_kind["Group"], shown]


def _signing_request(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    seconds = spec.get("expirationSeconds")
    return [
        age(tree, now),
        spec.get("signerName") or NONE,
        spec.get("username", ""),
        NONE if seconds is None else human(seconds),
        _verdict(tree),
    ]


def _verdict(tree: Json) -> str:
    shown = ["Denied"] if is_true(tree, "Denied") else ["Approved"] if is_true(tree, "Approved") else ["Pending"]
    if is_true(tree, "Failed"):
        shown.append("Failed")
    if status_of(tree).get("certificate"):
        shown.append("Issued")
    return joined(shown)


def _component(tree: Json, _now: float) -> Cells:
    healthy = condition({"status": {"conditions": tree.get("conditions")}}, "Healthy")
    status = {"True": "Healthy", "False": "Unhealthy"}.get(healthy.get("status", ""), "Unknown")
    return [status, healthy.get("message", ""), healthy.get("error", "")]


def _api_service(tree: Json, now: float) -> Cells:
    service, available = spec_of(tree).get("service"), condition(tree, "Available")
    where = "Local" if service is None else f"{service.get('namespace', '')}/{service.get('name', '')}"
    status = available.get("status") or "Unknown"
    if status != "True" and available.get("reason"):
        status = f"{status} ({available['reason']})"
    return [where, status, age(tree, now)]


NODES = table(
    text("Status"),
    text("Roles"),
    AGE,
    text("Version"),
    wide("Internal-IP"),
    wide("External-IP"),
    wide("OS-Image"),
    wide("Kernel-Version"),
    wide("Container-Runtime"),
    cells=_node,
)
NAMESPACES = table(text("Status"), AGE, cells=_namespace)
SECRETS = table(text("Type"), text("Data"), AGE, cells=_secret)
CONFIGMAPS = table(text("Data"), AGE, cells=_config_map)
SERVICEACCOUNTS = table(text("Secrets"), AGE, cells=_service_account)
LEASES = table(text("Holder"), AGE, cells=_lease)
EVENTS = Table(
    (
        text("Last Seen"),
        text("Type"),
        text("Reason"),
        text("Object"),
        wide("Subobject"),
        wide("Source"),
        text("Message"),
        wide("First Seen"),
        wide("Count"),
        Column("Name", format="name", wide=True),
    ),
    _event,
)
RESOURCEQUOTAS = table(text("Request"), text("Limit"), AGE, cells=_quota)
WITH_DATE = table(CREATED_AT, cells=_created)
ROLEBINDINGS = table(text("Role"), AGE, wide("Users"), wide("Groups"), wide("ServiceAccounts"), cells=_binding)
CERTIFICATESIGNINGREQUESTS = table(
    AGE,
    text("SignerName"),
    text("Requestor"),
    text("RequestedDuration"),
    text("Condition"),
    cells=_signing_request,
)
COMPONENTSTATUSES = table(text("Status"), text("Message"), text("Error"), cells=_component)
APISERVICES = table(text("Service"), text("Available"), AGE, cells=_api_service)
