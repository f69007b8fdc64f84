"""Environment variables and their sources.

Source: validation.go ValidateEnv, ValidateEnvFrom (v1.34, relaxed names).
"""

from collections.abc import Sequence

from apimachinery import names
from apimachinery.errors import not_supported
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, config_key, invalid, named, qualified_name, required

_ENV_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
#: What can be asked of a pod at all; the one name of old, and what it became.
_LABELS = (*_ENV_FIELDS, *VOLUME_FIELDS, "status.phase", "spec.restartPolicy", "spec.host")
_CONVERTED = {"spec.host": "spec.nodeName"}
_RESOURCES = ("limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu",
              "requests.ephemeral-storage", "requests.memory")  # fmt: skip
_DIVISORS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_MEASURED = {"memory": "memory", "ephemeral": "local ephemeral storage", "hugepages": "hugepages"}
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef")


def variables(path: str, env: Sequence[Json]) -> Problems:
    for i, variable in enumerate(env):
        if not (name := variable.get("name")):
            yield required(f"{path}[{i}].name")
        else:
            for message in names.env_var_name(name):
                yield invalid(f"{path}[{i}].name", name, message)
        if variable.get("valueFrom") is not None:
            yield from _value_from(f"{path}[{i}].valueFrom", variable)


def _value_from(path: str, variable: Json) -> Problems:
    source = variable["valueFrom"]
    chosen = [name for name in _SOURCES if source.get(name) is not None]
    if "fieldRef" in chosen:
        yield from field_ref(f"{path}.fieldRef", source["fieldRef"], _ENV_FIELDS)
    if "resourceFieldRef" in chosen:
        yield from resource_field_ref(f"{path}.resourceFieldRef", source["resourceFieldRef"], in_volume=False)
    for name in ("configMapKeyRef", "secretKeyRef"):
        if name in chosen:
            yield from _key_ref(f"{path}.{name}", source[name])
    if not chosen:
        options = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        yield invalid(path, "", f"must specify one of: {options}")
    elif variable.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif len(chosen) > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def _key_ref(path: str, reference: Json) -> Problems:
    yield from named(f"{path}.name", reference.get("name", ""), names.dns_subdomain)
    if not reference.get("key"):
        yield required(f"{path}.key")
    else:
        yield from config_key(f"{path}.key", reference["key"])


def field_ref(path: str, reference: Json, supported: Sequence[str]) -> Problems:
    """`fieldRef`: a path into the pod; labels and annotations may be subscripted."""
    version, field = reference.get("apiVersion"), reference.get("fieldPath", "")
    if not version or not field:
        yield required(f"{path}.{'fieldPath' if version else 'apiVersion'}")
        return
    name, subscript = _subscripted(field)
    if (wrong := _unknown(version, field, name, subscript)) is not None:
        yield invalid(f"{path}.fieldPath", field, f"error converting fieldPath: {wrong}")
    elif subscript is not None:
        yield from qualified_name(path, subscript.lower() if name == "metadata.annotations" else subscript)
    elif _CONVERTED.get(field, field) not in supported:
        yield not_supported(f"{path}.fieldPath", _CONVERTED.get(field, field), sorted(supported))


def _subscripted(field: str) -> tuple[str, str | None]:
    """`metadata.labels['a']` -> metadata.labels and a."""
    name, _, rest = field.partition("['")
    return (name, rest.removesuffix("']")) if rest.endswith("']") else (field, None)


def _unknown(version: str, field: str, name: str, subscript: str | None) -> str | None:
    """What is wrong with a field as a label of pods (ConvertDownwardAPIFieldLabel), None where nothing is."""
    if version != "v1":
        return f"unsupported pod version: {version}"
    if subscript is not None and name not in ("metadata.annotations", "metadata.labels"):
        return f"field label does not support subscript: {field}"
    return None if subscript is not None or field in _LABELS else f"field label not supported: {field}"


def resource_field_ref(path: str, reference: Json, *, in_volume: bool) -> Problems:
    """`resourceFieldRef`: an amount of a container's resources, in a unit that suits it."""
    resource = reference.get("resource", "")
    if in_volume and not reference.get("containerName"):
        yield required(f"{path}.containerName")
    elif not resource:
        yield required(f"{path}.resource")
    elif resource not in _RESOURCES and not resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        yield not_supported(f"{path}.resource", resource, sorted(_RESOURCES))
    divisor, name = str(reference.get("divisor") or "0"), resource.partition(".")[2]
    if divisor == "0" or not resource.startswith(("limits.", "requests.")):
        return
    if name == "cpu":
        if divisor not in ("1m", "1"):
            why = "only divisor's values 1m and 1 are supported with the cpu resource"
            yield invalid(f"{path}.divisor", resource, why)
    elif (what := _MEASURED.get(name.partition("-")[0])) and divisor not in _DIVISORS:
        why = f"only divisor's values {', '.join(_DIVISORS)} are supported with the {what} resource"
        yield invalid(f"{path}.divisor", resource, why)


def sources(path: str, env_from: Sequence[Json]) -> Problems:
    """`envFrom`: whole ConfigMaps and Secrets."""
    for i, source in enumerate(env_from):
        here = f"{path}[{i}]"
        if source.get("prefix"):
            yield from named(f"{here}.prefix", source["prefix"], names.env_var_name)
        chosen = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for name in chosen:
            reference = source[name].get("name", "")
            if not reference:
                yield required(f"{here}.{name}.name")
            else:
                yield from named(f"{here}.{name}.name", reference, names.dns_subdomain)
        if not chosen:
            yield invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(chosen) > 1:
            yield invalid(path, "", "may not have more than one field specified at a time")
