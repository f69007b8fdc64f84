"""An audit policy: the first rule that matches a request says how much of it is recorded. Pure.

Sources: apiserver/pkg/audit/policy/{checker,reader}.go, pkg/apis/audit/validation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apimachinery.types import Json
from apiserver.request import RequestInfo, User

NONE, METADATA, REQUEST, REQUEST_RESPONSE = "None", "Metadata", "Request", "RequestResponse"
LEVELS = (NONE, METADATA, REQUEST, REQUEST_RESPONSE)
RECEIVED, STARTED, COMPLETE, PANIC = "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"
STAGES = (RECEIVED, STARTED, COMPLETE, PANIC)
_VERSION = "audit.k8s.io/v1"


class BadPolicy(Exception):
    """The policy cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Recording:
    """How much of a request is recorded."""

    level: str = NONE
    omitted: frozenset[str] = frozenset()  # stages
    without_managed_fields: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    recording: Recording
    users: Sequence[str]
    groups: frozenset[str]
    verbs: Sequence[str]
    namespaces: Sequence[str]
    resources: Sequence[Json]
    paths: Sequence[str]

    def matches(self, user: User, info: RequestInfo) -> bool:
        if self.users and user.name not in self.users:
            return False
        if self.groups and self.groups.isdisjoint(user.groups):
            return False
        if self.verbs and info.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            return info.is_resource and self._is_about(info)
        if self.paths:
            return not info.is_resource and any(_is_path(info.path, path) for path in self.paths)
        return True

    def _is_about(self, info: RequestInfo) -> bool:
        if self.namespaces and info.namespace not in self.namespaces:
            return False
        return not self.resources or any(_is_resource(info, row) for row in self.resources)


def _is_resource(info: RequestInfo, row: Json) -> bool:
    if row.get("group", "") != info.group:
        return False
    names, resources = row.get("resourceNames") or (), row.get("resources") or ()
    if not resources:
        return True
    if names and info.name not in names:
        return False
    whole = f"{info.plural}/{info.subresource}" if info.subresource else info.plural
    accepted = {"*", whole, f"{info.plural}/*"}
    if info.subresource:
        accepted.add(f"*/{info.subresource}")
    return not accepted.isdisjoint(resources)


def _is_path(path: str, rule: str) -> bool:
    return rule in ("*", path) or (rule.endswith("*") and path.startswith(rule[:-1]))


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in their order."""

    rules: Sequence[_Rule]
    default: Recording

    def recording(self, user: User, info: RequestInfo) -> Recording:
        """What is recorded of a request."""
        for rule in self.rules:
            if rule.matches(user, info):
                return rule.recording
        return self.default


def parse(tree: Json | None) -> Policy:
    """A Policy from its decoded file. Raises BadPolicy."""
    if not isinstance(tree, dict) or (tree.get("apiVersion"), tree.get("kind")) != (_VERSION, "Policy"):
        raise BadPolicy(f"an audit policy is of kind Policy, apiVersion {_VERSION}")
    rules = tree.get("rules") or []
    if not rules:
        raise BadPolicy("loaded illegal policy with 0 rules")
    omitted = _stages(tree.get("omitStages"), "omitStages")
    without = bool(tree.get("omitManagedFields"))
    parsed = [_rule(rule, f"rules[{i}]", omitted, without=without) for i, rule in enumerate(rules)]
    return Policy(parsed, Recording(NONE, omitted, without))


def _rule(tree: Json, path: str, omitted: frozenset[str], *, without: bool) -> _Rule:
    level = tree.get("level", "")
    if level not in LEVELS:
        supported = ", ".join(f'"{name}"' for name in LEVELS)
        shown = f'Unsupported value: "{level}": supported values: {supported}' if level else "Required value"
        raise BadPolicy(f"{path}.level: {shown}")
    paths, resources, namespaces = (tree.get(name) or () for name in ("nonResourceURLs", "resources", "namespaces"))
    if paths and (resources or namespaces):
        text = "rules cannot apply to both regular resources and non-resource URLs"
        raise BadPolicy(f"{path}.nonResourceURLs: Invalid value: {list(paths)}: {text}")
    for url in paths:
        if url != "*" and (not url.startswith("/") or "*" in url[:-1]):
            raise BadPolicy(f'{path}.nonResourceURLs: Invalid value: "{url}"')
    stages = omitted | _stages(tree.get("omitStages"), f"{path}.omitStages")
    own = tree.get("omitManagedFields")
    return _Rule(
        recording=Recording(level, stages, without if own is None else bool(own)),
        users=tuple(tree.get("users") or ()),
        groups=frozenset(tree.get("userGroups") or ()),
        verbs=tuple(tree.get("verbs") or ()),
        namespaces=tuple(namespaces),
        resources=tuple(resources),
        paths=tuple(paths),
    )


def _stages(values: Sequence[str] | None, path: str) -> frozenset[str]:
    for value in values or ():
        if value not in STAGES:
            raise BadPolicy(f'{path}: Invalid value: "{value}": allowed stages are {",".join(STAGES)}')
    return frozenset(values or ())
