"""A pod spec as a whole, for pods and templates, and the template itself. Source: validation.go ValidatePodSpec.

Most fields of most specs are absent, and specs are checked with every create: what is not there is not looked into (a
check that is never called costs nothing), and a path is put together only where something is wrong or looked into.
"""

from apimachinery import names
from apimachinery.errors import not_supported
from apimachinery.types import Json
from apiserver.strategies.pod import containers, placement, resources, security, volumes, windows
from apiserver.strategies.pod.annotations import MIRROR
from apiserver.strategies.problems import (
    Problems,
    dns_label,
    dns_subdomain,
    duplicate,
    forbidden,
    go_struct,
    invalid,
    ip_address,
    labels,
    named,
    one_of,
    required,
)

_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
_OPTION_LIMITS = {"nameservers": 3, "searches": 32}
_MAX_DEADLINE = 2**31 - 1


def pod_spec(path: str, spec: Json, pod: Json | None = None) -> Problems:
    """Every rule that holds for a PodSpec wherever it stands; and those that hold in a pod, by its metadata."""
    broken: set[int] = set()
    if spec.get("volumes"):
        for i, wrong in volumes.volumes(f"{path}.volumes", spec["volumes"], (pod or {}).get("name", "")):
            broken.add(i)
            yield wrong
    if spec.get("resourceClaims"):
        if MIRROR in ((pod or {}).get("annotations") or {}):
            yield from [forbidden("[]", "static pods do not support resource claims")] * len(spec["resourceClaims"])
        else:
            yield from _claims(f"{path}.resourceClaims", spec)
    yield from containers.all_of(path, spec, volumes.MountContext.of(spec, broken))
    if spec.get("resources") is not None:
        yield from resources.of_the_pod(f"{path}.resources", spec, containers.claim_names(spec))
    if spec.get("hostNetwork"):
        yield from _host_network(path, spec, is_pod=pod is not None)
    if (policy := spec.get("restartPolicy", "")) not in _RESTART_POLICIES:
        yield from one_of(f"{path}.restartPolicy", policy, _RESTART_POLICIES, in_order=True)
    if (policy := spec.get("dnsPolicy", "")) not in _DNS_POLICIES:
        yield from one_of(f"{path}.dnsPolicy", policy, _DNS_POLICIES, in_order=True)
    if spec.get("nodeSelector"):
        yield from labels(f"{path}.nodeSelector", spec["nodeSelector"])
    if spec.get("securityContext") or spec.get("shareProcessNamespace"):
        yield from security.pod_context(f"{path}.securityContext", spec)
    yield from placement.placement(path, spec)
    if policy == "None" or spec.get("dnsConfig") is not None:
        yield from _dns_config(f"{path}.dnsConfig", spec)
    yield from placement.gates_and_spread(path, spec)
    yield from windows.host_process(path, spec)
    if spec.get("hostUsers") is False:
        yield from security.own_users(path, spec)
    yield from _names_and_times(path, spec)
    if spec.get("overhead"):
        yield from resources.requirements(f"{path}.overhead", {"limits": spec["overhead"]})
    if spec.get("os") is not None:
        yield from _operating_system(path, spec)


def _names_and_times(path: str, spec: Json) -> Problems:
    for name in ("serviceAccountName", "nodeName"):
        if value := spec.get(name):
            yield from dns_subdomain(f"{path}.{name}", value)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _MAX_DEADLINE:
        detail = f"must be between 1 and {_MAX_DEADLINE}, inclusive"
        yield invalid(f"{path}.activeDeadlineSeconds", deadline, detail)
    for name in ("hostname", "subdomain"):
        if spec.get(name):
            yield from dns_label(f"{path}.{name}", spec[name])
    if spec.get("tolerations"):
        yield from placement.tolerations(f"{path}.tolerations", spec["tolerations"])
    if spec.get("hostAliases"):
        yield from _aliases(f"{path}.hostAliases", spec)
    if value := spec.get("priorityClassName"):
        yield from dns_subdomain(f"{path}.priorityClassName", value)
    if spec.get("runtimeClassName") is not None:
        yield from dns_subdomain(f"{path}.runtimeClassName", spec["runtimeClassName"])
    if (policy := spec.get("preemptionPolicy")) is not None and policy not in _PREEMPTION_POLICIES:
        yield from one_of(f"{path}.preemptionPolicy", policy, _PREEMPTION_POLICIES, in_order=True)


def _dns_config(path: str, spec: Json) -> Problems:
    config = spec.get("dnsConfig")
    servers = (config or {}).get("nameservers") or ()
    if spec.get("dnsPolicy") == "None" and not servers:
        if config is None:
            yield required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
        else:
            yield required(f"{path}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
        return
    if config is None:
        return
    if len(servers) > _OPTION_LIMITS["nameservers"]:
        yield invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers")
    for i, server in enumerate(servers):
        yield from ip_address(f"{path}.nameservers[{i}]", server)
    searches = config.get("searches") or ()
    if len(searches) > _OPTION_LIMITS["searches"]:
        yield invalid(f"{path}.searches", searches, "must not have more than 32 search paths")
    if len(" ".join(searches)) > 2048:
        yield invalid(
            f"{path}.searches",
            searches,
            "must not have more than 2048 characters (including spaces) in the search list",
        )
    for i, search in enumerate(searches):
        if search != ".":
            yield from named(f"{path}.searches[{i}]", search.removesuffix("."), names.dns_search)
    for i, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            yield required(f"{path}.options[{i}]", "must not be empty")


def _host_network(path: str, spec: Json, *, is_pod: bool) -> Problems:
    """On the host's network a container's port and host port are one; a template may leave the latter to its pods."""
    for i, container in enumerate(spec.get("containers") or ()):
        for j, entry in enumerate(container.get("ports") or ()):
            number = entry.get("hostPort", 0)
            if (is_pod or number) and number != entry.get("containerPort", 0):
                here = f"{path}.containers[{i}].ports[{j}].hostPort"
                yield invalid(here, number, "must match `containerPort` when `hostNetwork` is true")


def _aliases(path: str, spec: Json) -> Problems:
    for i, alias in enumerate(spec.get("hostAliases") or ()):
        yield from ip_address(f"{path}[{i}].ip", alias.get("ip", ""))
        for j, hostname in enumerate(alias.get("hostnames") or ()):
            yield from dns_subdomain(f"{path}[{i}].hostnames[{j}]", hostname)


def _claims(path: str, spec: Json) -> Problems:
    seen: set[str] = set()
    for i, claim in enumerate(spec.get("resourceClaims") or ()):
        name = claim.get("name", "")
        if not name:
            yield required(f"{path}[{i}].name")
        elif name in seen:
            yield duplicate(f"{path}[{i}].name", name)
        else:
            yield from dns_label(f"{path}[{i}].name", name)
        seen.add(name)
        one, other = claim.get("resourceClaimName"), claim.get("resourceClaimTemplateName")
        shown = go_struct(Name=name, ResourceClaimName=one, ResourceClaimTemplateName=other)
        if one is not None and other is not None:
            many = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            yield invalid(f"{path}[{i}]", shown, many)
        if one is None and other is None:
            detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            yield invalid(f"{path}[{i}]", shown, detail)
        for member, value in (("resourceClaimName", one), ("resourceClaimTemplateName", other)):
            if value is not None:
                yield from dns_subdomain(f"{path}[{i}].{member}", value)


def _operating_system(path: str, spec: Json) -> Problems:
    name = spec["os"].get("name", "")
    if not name:
        yield required(f"{path}.os.name")
    elif name not in ("linux", "windows"):
        yield not_supported(f"{path}.os", name, ("linux", "windows"))
    else:
        yield from windows.operating_system(path, spec)


def _annotation_key(path: str, key: str) -> Problems:
    """Upper case is allowed, and shown as it was written."""
    for message in names.qualified_name(key.lower()):
        yield invalid(path, key, message)


def template(path: str, tree: Json) -> Problems:
    """A PodTemplateSpec: metadata, spec, and no ephemeral containers."""
    metadata, spec = tree.get("metadata") or {}, tree.get("spec") or {}
    yield from labels(f"{path}.labels", metadata.get("labels"))
    for key in metadata.get("annotations") or {}:
        yield from _annotation_key(f"{path}.annotations", key)
    yield from pod_spec(f"{path}.spec", spec)
    if spec.get("ephemeralContainers"):
        yield forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")
