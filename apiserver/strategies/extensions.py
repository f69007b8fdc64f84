"""APIServices. Source: kube-aggregator/pkg/apis/apiregistration/validation."""

from apimachinery import names, times
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.problems import (
    Problems,
    invalid,
    named,
    required,
)
from apiserver.strategies.strategy import Strategy, WriteContext, status_without


def default_service(tree: Json) -> Json:
    service = (tree.get("spec") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = 443
    return tree


def check_service(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_service(new)]


def _service(tree: Json) -> Problems:
    spec = tree.get("spec") or {}
    name, group, version = (tree.get("metadata") or {}).get("name", ""), spec.get("group", ""), spec.get("version", "")
    if name and name != f"{version}.{group}":
        yield invalid("metadata.name", name, 'must be `spec.version+"."+spec.group`: "' + f'{version}.{group}"')
    if group:
        yield from named("spec.group", group, names.dns_subdomain)
    elif version != "v1":
        yield required("spec.group", "only v1 may have an empty group and it better be legacy kube")
    yield from named("spec.version", version, names.dns_1035_label)
    for member, limit in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = spec.get(member, 0)
        if not 0 < value <= limit:
            yield invalid(f"spec.{member}", value, f"must be positive and less than {limit}")
    service = spec.get("service")
    if service is None:
        if spec.get("caBundle"):
            yield invalid(
                "spec.caBundle", f"{len(spec['caBundle'])} bytes", "local APIServices may not have a caBundle"
            )
        if spec.get("insecureSkipTLSVerify"):
            detail = "local APIServices may not have insecureSkipTLSVerify"
            yield invalid("spec.insecureSkipTLSVerify", True, detail)
        return
    for member in ("namespace", "name"):
        if not service.get(member):
            yield required(f"spec.service.{member}")
    for message in names.port_number(service.get("port", 443)):
        yield invalid("spec.service.port", service["port"], f"port is not valid: {message}")
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        yield invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present")


def check_service_status(new: Json, _old: Json | None) -> list[FieldError]:
    return [
        not_supported(f"status.conditions[{i}].status", condition.get("status") or "", ("True", "False", "Unknown"))
        for i, condition in enumerate((new.get("status") or {}).get("conditions") or ())
        if condition.get("status") not in ("True", "False", "Unknown")
    ]


def stamp_service(new: Json, old: Json | None, context: WriteContext) -> Json:
    """A local APIService is available from the start."""
    if old is None and (new.get("spec") or {}).get("service") is None:
        condition = {
            "type": "Available",
            "status": "True",
            "lastTransitionTime": times.rfc3339(context.now),
            "reason": "Local",
            "message": "Local APIServices are always available",
        }
        new["status"] = {"conditions": [condition]}
    return new


APISERVICES = Strategy(
    default=default_service,
    stamp=stamp_service,
    check=check_service,
    check_status=check_service_status,
    name=names.path_segment_name,
    any_finalizer=True,
    prepare_status=status_without("labels", "annotations", "finalizers", "ownerReferences"),
    allow_unconditional_update=False,
)
