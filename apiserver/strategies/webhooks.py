"""MutatingWebhookConfigurations and ValidatingWebhookConfigurations.

Source: pkg/apis/admissionregistration/validation, v1/defaults.go.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from apimachinery import go_urls, names
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.admission_rules import match_conditions, rule_with_operations
from apiserver.strategies.defaulting import fill_absent, items, part
from apiserver.strategies.problems import (
    Problems,
    duplicate,
    invalid,
    label_selector,
    named,
    port,
    required,
    supported,
)
from apiserver.strategies.strategy import Strategy, as_sent


def default(tree: Json) -> Json:
    for hook in items(tree, "webhooks"):
        for name, value in (("failurePolicy", "Fail"), ("matchPolicy", "Equivalent"), ("timeoutSeconds", 10)):
            fill_absent(hook, name, value)
        part(hook, "namespaceSelector")
        part(hook, "objectSelector")
        _default_service((hook.get("clientConfig") or {}).get("service"))
        for rule in items(hook, "rules"):
            fill_absent(rule, "scope", "*")
    return tree


def default_mutating(tree: Json) -> Json:
    for hook in items(default(tree), "webhooks"):
        fill_absent(hook, "reinvocationPolicy", "Never")
    return tree


def _default_service(service: Json | None) -> None:
    if service is not None and service.get("port") is None:
        service["port"] = 443


def check(new: Json, old: Json | None) -> list[FieldError]:
    return [*_webhooks(new.get("webhooks") or (), None if old is None else old.get("webhooks") or ())]


def _webhooks(hooks: Sequence[Json], old: Sequence[Json] | None) -> Problems:
    """What was there before these rules is let through: each applies unless the old webhooks already broke it."""
    allow = _Allowed(old)
    seen: set[str] = set()
    conditions = old is None or [h.get("matchConditions") for h in hooks] != [h.get("matchConditions") for h in old]
    for i, hook in enumerate(hooks):
        here, name = f"webhooks[{i}]", hook.get("name", "")
        yield from _webhook(here, hook, allow)
        if conditions:
            yield from match_conditions(f"{here}.matchConditions", hook.get("matchConditions") or ())
        yield from _versions(f"{here}.admissionReviewVersions", hook.get("admissionReviewVersions") or (), allow)
        if name and name in seen and not allow.same_names:
            yield duplicate(f"{here}.name", name)
        seen.add(name)


class _Allowed:
    """What the webhooks stored now get away with, and so may stay."""

    def __init__(self, old: Sequence[Json] | None) -> None:
        hooks = old or ()
        self.side_effects = any(hook.get("sideEffects") not in _NO_EFFECTS for hook in hooks)
        self.unknown_versions = any(
            hook.get("admissionReviewVersions") and not _KNOWN & set(hook["admissionReviewVersions"]) for hook in hooks
        )
        names_ = [hook.get("name") for hook in hooks]
        self.same_names = len(set(names_)) < len(names_)


def qualified(path: str, name: str) -> Problems:
    """A name with a domain: at least three labels."""
    if not name:
        yield required(path)
        return
    if wrong := names.dns_subdomain(name):
        yield invalid(path, name, ",".join(wrong))
    elif len(name.split(".")) < 3:
        yield invalid(path, name, "should be a domain with at least three segments separated by dots")


_NO_EFFECTS = ("None", "NoneOnDryRun")
_KNOWN = frozenset(("v1", "v1beta1"))


def _versions(path: str, versions: Sequence[str], allow: _Allowed) -> Problems:
    if not versions:
        yield required(path, "must specify one of v1, v1beta1")
        return
    for i, version in enumerate(versions):
        if version in versions[:i]:
            yield invalid(f"{path}[{i}]", version, "duplicate version")
        else:
            yield from named(f"{path}[{i}]", version, _dns_1035)
    if not _KNOWN & set(versions) and not allow.unknown_versions:
        yield invalid(path, versions, "must include at least one of v1, v1beta1")


def _dns_1035(value: str) -> list[str]:
    return names.label_1035_name(value, False)


def _webhook(path: str, hook: Json, allow: _Allowed) -> Problems:
    yield from qualified(f"{path}.name", hook.get("name", ""))
    for i, rule in enumerate(hook.get("rules") or ()):
        yield from rule_with_operations(f"{path}.rules[{i}]", rule)
    yield from supported(f"{path}.failurePolicy", hook.get("failurePolicy"), ("Fail", "Ignore"))
    yield from supported(f"{path}.matchPolicy", hook.get("matchPolicy"), ("Equivalent", "Exact"))
    effects = hook.get("sideEffects")
    options = ("None", "NoneOnDryRun", "Some", "Unknown") if allow.side_effects else _NO_EFFECTS
    if effects is None:
        yield required(f"{path}.sideEffects", f"must specify one of {', '.join(options)}")
    elif effects not in options:
        yield not_supported(f"{path}.sideEffects", effects, options)
    seconds = hook.get("timeoutSeconds", 10)
    if not 1 <= seconds <= 30:
        yield invalid(f"{path}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds")
    for name in ("namespaceSelector", "objectSelector"):
        yield from label_selector(f"{path}.{name}", hook.get(name))
    yield from supported(f"{path}.reinvocationPolicy", hook.get("reinvocationPolicy"), ("IfNeeded", "Never"))
    yield from client_config(f"{path}.clientConfig", hook.get("clientConfig") or {})


def client_config(path: str, config: Json) -> Problems:
    """Where a webhook listens: a URL or a Service, not both. Also that of CRD conversion."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        yield required(path, "exactly one of url or service is required")
    elif url is not None:
        yield from _url(f"{path}.url", url)
    else:
        yield from _service(f"{path}.service", service or {})


def _service(path: str, service: Json) -> Problems:
    for shown, name in (("name", "namespace"), ("namespace", "name")):  # upstream passes the two the other way round
        if not service.get(name):
            yield required(f"{path}.{shown}")
    for problem in port(f"{path}.port", service.get("port", 443)):
        yield replace(problem, detail=f"port is not valid: {problem.detail}")
    yield from _url_path(f"{path}.path", service.get("path") or "")


def _url_path(path: str, value: str) -> Problems:
    """The path of a Service's URL: segments that are DNS subdomains."""
    if value in ("", "/"):
        return
    if value == "//":
        yield invalid(path, value, "segment[0] may not be empty")
        return
    if not value.startswith("/"):
        yield invalid(path, value, "must start with a '/'")
    for i, segment in enumerate(value[1:].removesuffix("/").split("/")):
        if not segment:
            yield invalid(path, value, f"segment[{i}] may not be empty")
            continue
        for message in names.dns_subdomain(segment):
            yield invalid(path, value, f"segment[{i}]: {message}")


def _url(path: str, url: str) -> Problems:
    form = "; desired format: https://host[/path]"
    try:
        parts = go_urls.parse(url)
    except go_urls.BadUrl as why:
        yield required(path, f"url must be a valid URL: {why}{form}")
        return
    if parts.scheme != "https":
        yield invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{form}")
    if not parts.host:
        yield invalid(path, parts.host, f"host must be specified{form}")
    if parts.user is not None:
        yield invalid(path, parts.user, "user information is not permitted in the URL")
    for name, value in (("fragments", parts.fragment), ("query parameters", parts.query)):
        if value:
            yield invalid(path, value, f"{name} are not permitted in the URL")


def hooks_changed(new: Json, old: Json) -> bool:
    return new.get("webhooks") != old.get("webhooks")


def _configuration(default_of: Callable[[Json], Json]) -> Strategy:
    return Strategy(
        default=default_of,
        prepare=as_sent,
        check=check,
        has_generation=True,
        raises_generation=hooks_changed,
        empty_counts="webhooks",
        allow_unconditional_update=False,
        any_finalizer=True,
    )


MUTATINGWEBHOOKCONFIGURATIONS = _configuration(default_mutating)
VALIDATINGWEBHOOKCONFIGURATIONS = _configuration(default)
