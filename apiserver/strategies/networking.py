"""Ingresses, their classes, NetworkPolicies, IPAddresses and ServiceCIDRs. Source: pkg/apis/networking/validation."""

import ipaddress
from collections.abc import Sequence

from apimachinery import names
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies import object_warnings, reached
from apiserver.strategies.defaulting import items, part
from apiserver.strategies.problems import (
    IMMUTABLE,
    Problems,
    cidr,
    dns_subdomain,
    forbidden,
    go_struct,
    immutable,
    invalid,
    kept,
    label_selector,
    named,
    port,
    port_name,
    port_or_name,
    required,
    supported,
    too_long,
)
from apiserver.strategies.strategy import Strategy, as_sent, status_without

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_IN_PATH = ("//", "/./", "/../", "%2f", "%2F")
_BAD_AT_END = ("/..", "/.")
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def check_ingress(new: Json, old: Json | None) -> list[FieldError]:
    had_bad_secrets = old is not None and any(_bad_secret(tls) for tls in (old.get("spec") or {}).get("tls") or ())
    return [*_ingress(new, creating=old is None, any_secret=had_bad_secrets)]


def _bad_secret(tls: Json) -> list[str]:
    name = tls.get("secretName") or ""
    return names.dns_subdomain(name) if name else []


def _ingress(tree: Json, *, creating: bool, any_secret: bool) -> Problems:
    spec = tree.get("spec") or {}
    annotations = (tree.get("metadata") or {}).get("annotations") or {}
    if creating and annotations.get(_CLASS_ANNOTATION) and spec.get("ingressClassName") is not None:
        detail = "can not be set when the class field is also set"
        yield invalid(f"annotations.{_CLASS_ANNOTATION}", annotations[_CLASS_ANNOTATION], detail)
    if not spec.get("rules") and spec.get("defaultBackend") is None:
        yield invalid("spec", spec.get("rules"), "either `defaultBackend` or `rules` must be specified")
    if spec.get("defaultBackend") is not None:
        yield from _backend("spec.defaultBackend", spec["defaultBackend"])
    for i, rule in enumerate(spec.get("rules") or ()):
        yield from _rule(f"spec.rules[{i}]", rule)
    for i, tls in enumerate(spec.get("tls") or ()):
        for j, host in enumerate(tls.get("hosts") or ()):
            yield from _host(f"spec.tls[{i}].hosts[{j}]", host)
        for message in () if any_secret else _bad_secret(tls):
            yield invalid(f"spec.tls[{i}].secretName", tls["secretName"], message)
    if spec.get("ingressClassName") is not None:
        yield from dns_subdomain("spec.ingressClassName", spec["ingressClassName"])


def check_ingress_status(new: Json, old: Json | None) -> list[FieldError]:
    """What a load balancer says of itself."""
    now, before = (((tree or {}).get("status") or {}).get("loadBalancer") or {} for tree in (new, old))
    path, had = "status.loadBalancer.ingress", reached.addresses(before)
    return [
        problem
        for i, entry in enumerate(now.get("ingress") or ())
        for problem in (*reached.by_address(f"{path}[{i}]", entry, had), *reached.by_name(f"{path}[{i}]", entry))
    ]


def _host(path: str, host: str) -> Problems:
    rule = names.wildcard_subdomain if "*" in host else names.dns_subdomain
    yield from named(path, host, rule)


def _rule(path: str, rule: Json) -> Problems:
    host = rule.get("host", "")
    if host:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            yield from _host(f"{path}.host", host)
        else:
            yield invalid(f"{path}.host", host, "must be a DNS name, not an IP address")
    http = rule.get("http")
    if http is None:
        return
    if not http.get("paths"):
        yield required(f"{path}.http.paths")
    for i, entry in enumerate(http.get("paths") or ()):
        yield from _path(f"{path}.http.paths[{i}]", entry)


def _path(path: str, entry: Json) -> Problems:
    kind, where = entry.get("pathType"), entry.get("path", "")
    if kind is None:
        yield required(f"{path}.pathType", "pathType must be specified")
        return
    if kind not in _PATH_TYPES:
        yield not_supported(f"{path}.pathType", kind, ("Exact", "ImplementationSpecific", "Prefix"))
    elif kind in ("Exact", "Prefix"):
        if not where.startswith("/"):
            yield invalid(f"{path}.path", where, "must be an absolute path")
        for bad in _BAD_IN_PATH:
            if bad in where:
                yield invalid(f"{path}.path", where, f"must not contain '{bad}'")
        for bad in _BAD_AT_END:
            if where.endswith(bad):
                yield invalid(f"{path}.path", where, f"cannot end with '{bad}'")
    elif where and not where.startswith("/"):
        yield invalid(f"{path}.path", where, "must be an absolute path")
    yield from _backend(f"{path}.backend", entry.get("backend") or {})


def _backend(path: str, backend: Json) -> Problems:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield invalid(path, "", "cannot set both resource and service backends")
    elif resource is not None:
        if resource.get("apiGroup") is not None:
            yield from named(f"{path}.resource.apiGroup", resource["apiGroup"], names.dns_subdomain)
        for name in ("kind", "name"):
            if not resource.get(name):
                yield required(f"{path}.resource.{name}")
            else:
                yield from named(f"{path}.resource.{name}", resource[name], names.path_segment)
    elif service is None:
        yield invalid(path, "", "resource or service backend is required")
    else:
        yield from _service_backend(path, service)


def _service_backend(path: str, service: Json) -> Problems:
    if not service.get("name"):
        yield required(f"{path}.service.name")
    else:
        yield from named(f"{path}.service.name", service["name"], names.dns_1035_label)
    entry = service.get("port") or {}
    if entry.get("name") and entry.get("number"):
        yield invalid(path, "", "cannot set both port name & port number")
    elif entry.get("name"):
        yield from port_name(f"{path}.service.port.name", entry["name"])
    elif entry.get("number"):
        yield from port(f"{path}.service.port.number", entry["number"])
    else:
        yield required(path, "port name or number is required")


def check_class(new: Json, old: Json | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    controller, problems = spec.get("controller", ""), list[FieldError]()
    if old is not None:
        problems += immutable("spec.controller", controller, (old.get("spec") or {}).get("controller"))
    problems += _class_controller(controller) if controller else [required("spec.controller")]
    reference = spec.get("parameters")
    if reference is not None:
        problems += _parameters("spec.parameters", reference)
    return problems


def _parameters(path: str, reference: Json) -> Problems:
    scope, namespace = reference.get("scope"), reference.get("namespace")
    if reference.get("apiGroup") is not None:
        yield from named(f"{path}.apiGroup", reference["apiGroup"], names.dns_subdomain)
    for name in ("kind", "name"):
        if not reference.get(name):
            yield required(f"{path}.{name}")
        else:
            yield from named(f"{path}.{name}", reference[name], names.path_segment)
    if scope is None:
        yield required(f"{path}.scope")
        return
    yield from supported(f"{path}.scope", scope, ("Cluster", "Namespace"))
    if scope == "Namespace":
        if namespace is None:
            yield required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'")
        else:
            yield from named(f"{path}.namespace", namespace, names.dns_label)
    elif scope == "Cluster" and namespace is not None:
        yield forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'")


def default_class(tree: Json) -> Json:
    parameters = (tree.get("spec") or {}).get("parameters")
    if parameters is not None and parameters.get("scope") is None:
        parameters["scope"] = "Cluster"
    return tree


def _class_controller(value: str) -> Problems:
    domain, _, rest = value.partition("/")
    if len(value.encode()) > 250:
        yield too_long("spec.controller", 250)
    if not domain or not rest:
        yield invalid("spec.controller", value, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        yield from named("spec.controller", domain, names.dns_subdomain)


def default_policy(tree: Json) -> Json:
    spec = part(tree, "spec")
    part(spec, "podSelector")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for rule in items(spec, "ingress", "egress"):
        for entry in items(rule, "ports"):
            if entry.get("protocol") is None:
                entry["protocol"] = "TCP"
    return tree


def check_policy(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_policy(new.get("spec") or {})]
    return problems if old is None else [*problems, *problems]  # upstream looks twice


def _policy(spec: Json) -> Problems:
    yield from label_selector("spec.podSelector", spec.get("podSelector"))
    for direction, peer in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(spec.get(direction) or ()):
            here = f"spec.{direction}[{i}]"
            yield from _policy_ports(f"{here}.ports", rule.get("ports") or ())
            for j, member in enumerate(rule.get(peer) or ()):
                yield from _peer(f"{here}.{peer}[{j}]", member)
    kinds = spec.get("policyTypes") or ()
    if len(kinds) > 2:
        yield invalid("spec.policyTypes", kinds, "may not specify more than two policyTypes")
        return
    for i, kind in enumerate(kinds):
        yield from supported(f"spec.policyTypes[{i}]", kind, ("Ingress", "Egress"))


def _policy_ports(path: str, entries: Sequence[Json]) -> Problems:
    for i, entry in enumerate(entries):
        here, value, end = f"{path}[{i}]", entry.get("port"), entry.get("endPort")
        if entry.get("protocol") not in (None, *_PROTOCOLS):
            yield not_supported(f"{here}.protocol", entry["protocol"], ("TCP", "UDP", "SCTP"))
        if value is None:
            if end is not None:
                yield invalid(f"{here}.endPort", end, "may not be specified when `port` is not specified")
            continue
        if end is not None and isinstance(value, str):
            yield invalid(f"{here}.endPort", end, "may not be specified when `port` is non-numeric")
        yield from port_or_name(f"{here}.port", value)
        if end is not None and not isinstance(value, str):
            if end < value:  # upstream shows the port here
                yield invalid(f"{here}.endPort", value, "must be greater than or equal to `port`")
            yield from port(f"{here}.endPort", end)


def _peer(path: str, peer: Json) -> Problems:
    pods, namespaces, block = (peer.get(n) for n in ("podSelector", "namespaceSelector", "ipBlock"))
    yield from label_selector(f"{path}.podSelector", pods)
    yield from label_selector(f"{path}.namespaceSelector", namespaces)
    if block is not None:
        yield from _block(f"{path}.ipBlock", block)
    if pods is None and namespaces is None and block is None:
        yield required(path, "must specify a peer")
    elif block is not None and (pods is not None or namespaces is not None):
        yield forbidden(path, "may not specify both ipBlock and another peer")


def _block(path: str, block: Json) -> Problems:
    text = block.get("cidr", "")
    if not text:
        yield required(f"{path}.cidr")
        return
    wrong = [*cidr(f"{path}.cidr", text)]
    yield from wrong
    for i, entry in enumerate(() if wrong else block.get("except") or ()):
        here = f"{path}.except[{i}]"
        bad = [*cidr(here, entry)]
        yield from bad
        if not bad and not _strictly_inside(entry, text):
            yield invalid(here, entry, "must be a strict subset of `cidr`")


def _strictly_inside(inner: str, outer: str) -> bool:
    small, large = (ipaddress.ip_network(text, strict=False) for text in (inner, outer))
    if small.version != large.version or small.prefixlen <= large.prefixlen:
        return False
    return small.network_address in large


def check_address(new: Json, old: Json | None) -> list[FieldError]:
    """An IPAddress says who has the address that is its name."""
    reference, problems = (new.get("spec") or {}).get("parentRef"), list[FieldError]()
    if reference is None:
        problems.append(required("spec.parentRef"))
    else:
        problems += _parent("spec.parentRef", reference)
    if old is not None:
        problems += kept(
            "spec.parentRef", "*networking.ParentReference", reference, (old.get("spec") or {}).get("parentRef")
        )
    return problems


def _parent(path: str, reference: Json) -> Problems:
    """Services are of the core group, whose name is empty."""
    if reference.get("group"):
        yield from named(f"{path}.group", reference["group"], names.dns_subdomain)
    for name in ("resource", "name", "namespace"):
        if reference.get(name):
            yield from named(f"{path}.{name}", reference[name], names.path_segment)
        elif name != "namespace":
            yield required(f"{path}.{name}")


def address_name(name: str, prefix: bool) -> list[str]:  # noqa: FBT001 - a NameRule
    del prefix
    try:
        canonical = str(ipaddress.ip_address(name))
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return [] if canonical == name else [f'must be in canonical form ("{canonical}")']


_ONE_EACH = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"


def check_service_cidr(new: Json, old: Json | None) -> list[FieldError]:
    ranges, before = ((tree.get("spec") or {}).get("cidrs") for tree in (new, old or {}))
    return [*(_ranges(ranges or ()) if old is None else _kept_ranges(ranges, before or ()))]


def _ranges(ranges: Sequence[str]) -> Problems:
    """One range, or one of each family."""
    here = "spec.cidrs"
    if not ranges:
        yield required(here, "at least one CIDR required")
        return
    if len(ranges) > 2:
        yield invalid(here, go_struct(CIDRs=list(ranges)), "may only hold up to 2 values")
        return
    problems = [problem for i, text in enumerate(ranges) for problem in cidr(f"{here}[{i}]", text)]
    yield from problems
    if not problems and len({ipaddress.ip_network(text, strict=False).version for text in ranges}) < len(ranges):
        yield invalid(here, list(ranges), _ONE_EACH)


def _kept_ranges(ranges: Sequence[str] | None, before: Sequence[str]) -> Problems:
    """A range stays; a second one of the other family may still be added."""
    now = ranges or ()
    if len(now) == len(before):
        for i, (new, old) in enumerate(zip(now, before, strict=True)):
            yield from immutable(f"spec.cidrs[{i}]", new, old)
    elif len(before) == 1 and len(now) == 2:
        yield from immutable("spec.cidrs[0]", now[0], before[0])
        yield from _ranges(now)
    else:
        yield invalid("spec.cidrs", ranges, IMMUTABLE)


INGRESSES = Strategy(check=check_ingress, check_status=check_ingress_status, has_generation=True)
INGRESSCLASSES = Strategy(default=default_class, prepare=as_sent, check=check_class, has_generation=True)
NETWORKPOLICIES = Strategy(
    default=default_policy,
    prepare=as_sent,
    check=check_policy,
    has_generation=True,
    empty_counts="spec",
    warnings=object_warnings.network_policy,
)
IPADDRESSES = Strategy(prepare=as_sent, check=check_address, name=address_name)
SERVICECIDRS = Strategy(prepare=as_sent, check=check_service_cidr, prepare_status=status_without())
