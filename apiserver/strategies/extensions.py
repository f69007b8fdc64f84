"""CustomResourceDefinitions and APIServices: names, versions, the shape of a definition; not the depths of its schemas.

Source: apiextensions-apiserver/pkg/apis/apiextensions/validation, kube-aggregator/pkg/apis/apiregistration/validation.
"""

from apimachinery import names, times
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, items, part
from apiserver.strategies.problems import (
    Problems,
    duplicate,
    immutable,
    invalid,
    named,
    one_of,
    port,
    required,
)
from apiserver.strategies.strategy import Strategy, WriteContext
from apiserver.strategies.webhooks import client_config

_STORED = "must have exactly one version marked as storage version"


def default_definition(tree: Json) -> Json:
    spec = part(tree, "spec")
    named_as = part(spec, "names")
    fill(named_as, "singular", named_as.get("kind", "").lower())
    fill(named_as, "listKind", f"{named_as['kind']}List" if named_as.get("kind") else "")
    fill(part(spec, "conversion"), "strategy", "None")
    service = ((spec["conversion"].get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = 443
    return tree


def prepare_definition(new: Json, old: Json | None) -> Json:
    """A new definition has no status but the version it is stored in; the naming controller writes the rest."""
    if old is not None:
        new["status"] = old.get("status", {})
        _remember_storage(new)
        return new
    new["status"] = {"storedVersions": []}
    _remember_storage(new)
    return new


def _remember_storage(tree: Json) -> None:
    status = part(tree, "status")
    stored = status.get("storedVersions") or []
    for version in items(tree.get("spec") or {}, "versions"):
        if version.get("storage") and version.get("name") not in stored:
            stored = [*stored, version["name"]]
    status["storedVersions"] = stored


def check_definition(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_definition(new)]
    if old is not None:
        spec, before = new["spec"], old["spec"]
        established = any(
            c.get("type") == "Established" and c.get("status") == "True"
            for c in (old.get("status") or {}).get("conditions") or ()
        )
        if established:
            problems += immutable("spec.scope", spec.get("scope"), before.get("scope"))
            problems += immutable("spec.names.kind", spec["names"].get("kind"), before["names"].get("kind"))
        problems += immutable("spec.group", spec.get("group"), before.get("group"))
        problems += immutable("spec.names.plural", spec["names"].get("plural"), before["names"].get("plural"))
    return problems


def _definition(tree: Json) -> Problems:
    spec = tree.get("spec") or {}
    name, group = (tree.get("metadata") or {}).get("name", ""), spec.get("group", "")
    wanted = f"{(spec.get('names') or {}).get('plural', '')}.{group}"
    if name != wanted:
        yield invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if not group:
        yield required("spec.group")
    else:
        yield from named("spec.group", group, names.dns_subdomain)
        if "." not in group:
            yield invalid("spec.group", group, "should be a domain with at least one dot")
    yield from one_of("spec.scope", spec.get("scope", ""), ("Cluster", "Namespaced"))
    yield from _versions(spec)
    yield from _names("spec.names", spec.get("names") or {})
    conversion = spec.get("conversion") or {}
    yield from one_of("spec.conversion.strategy", conversion.get("strategy", ""), ("None", "Webhook"))
    if conversion.get("strategy") == "Webhook":
        webhook = conversion.get("webhook")
        if webhook is None:
            yield required("spec.conversion.webhook", "required when strategy is set to Webhook")
        else:
            config = webhook.get("clientConfig")
            if config is None:
                yield required("spec.conversion.webhook.clientConfig", "required when strategy is set to Webhook")
            else:
                yield from client_config("spec.conversion.webhook.clientConfig", config)


def _versions(spec: Json) -> Problems:
    versions, seen = spec.get("versions") or (), set[str]()
    for i, version in enumerate(versions):
        here, name = f"spec.versions[{i}]", version.get("name", "")
        yield from named(f"{here}.name", name, names.dns_1035_label)
        if name in seen:
            yield duplicate(f"{here}.name", name)
        seen.add(name)
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            yield required(f"{here}.schema.openAPIV3Schema", "schemas are required")
        elif schema.get("type") != "object":
            detail = "must be object" if schema.get("type") else "must not be empty at the root"
            at = f"{here}.schema.openAPIV3Schema.type"
            yield invalid(at, schema["type"], detail) if schema.get("type") else required(at, detail)
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid("spec.versions", [v.get("name") for v in versions], _STORED)


def _names(path: str, tree: Json) -> Problems:
    for member in ("plural", "kind", "listKind"):
        if not tree.get(member):
            yield required(f"{path}.{member}")
    for member in ("plural", "singular"):
        if tree.get(member):
            yield from named(f"{path}.{member}", tree[member], names.dns_1035_label)
    for member in ("kind", "listKind"):
        if tree.get(member):
            for message in names.dns_1035_label(tree[member].lower()):
                yield invalid(
                    f"{path}.{member}", tree[member], f"may have mixed case, but should otherwise match: {message}"
                )
    if tree.get("kind") and tree.get("kind") == tree.get("listKind"):
        yield invalid(f"{path}.listKind", tree["listKind"], "kind and listKind may not be the same")
    for member in ("shortNames", "categories"):
        for i, value in enumerate(tree.get(member) or ()):
            yield from named(f"{path}.{member}[{i}]", value, names.dns_1035_label)


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
    if name != f"{version}.{group}":
        yield invalid("metadata.name", name, 'must be `spec.version+"."+spec.group`: "' + f'{version}.{group}"')
    if group:
        yield from named("spec.group", group, names.dns_subdomain)
    elif version != "v1":
        yield required("spec.group", "only v1 may have an empty group and it better be legacy kube")
    if not version:
        yield required("spec.version")
    else:
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
        return
    for member in ("namespace", "name"):
        if not service.get(member):
            yield required(f"spec.service.{member}")
    yield from port("spec.service.port", service.get("port", 443))
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        yield invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present")


CUSTOMRESOURCEDEFINITIONS = Strategy(
    default=default_definition,
    prepare=prepare_definition,
    check=check_definition,
    has_generation=True,
    allow_unconditional_update=False,
)


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
    name=names.path_segment_name,
    allow_unconditional_update=False,
)
