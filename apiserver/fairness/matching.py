"""Which FlowSchema a request belongs to: the first, by precedence and name, one of whose rules it matches. Pure.

FlowSchemas are taken apart once. Which of them concern a user is remembered per user, since a server sees few users
many times; what is left to look at per request is verb and resource. Source: apiserver/pkg/util/flowcontrol/rule.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apimachinery.types import Json
from apiserver.request import RequestInfo, User

_EVERY = "*"
_SERVICE_ACCOUNT = "system:serviceaccount:"
#: How many users are remembered; then all are forgotten.
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class ResourceRule:
    """Verbs on resources. None stands for all of them."""

    verbs: frozenset[str] | None
    groups: frozenset[str] | None
    resources: frozenset[str] | None  # "pods", "pods/status"
    namespaces: frozenset[str] | None
    cluster: bool  # whether requests without a namespace are meant

    @property
    def is_everything(self) -> bool:
        """Whether every request for a resource matches."""
        rest = (self.verbs, self.groups, self.resources, self.namespaces)
        return self.cluster and all(part is None for part in rest)

    def matches(self, info: RequestInfo, resource: str) -> bool:
        """`resource` is the plural with its subresource."""
        return (
            (self.verbs is None or info.verb in self.verbs)
            and (self.resources is None or resource in self.resources)
            and (self.groups is None or info.group in self.groups)
            and (self.cluster if not info.namespace else self.namespaces is None or info.namespace in self.namespaces)
        )


@dataclass(frozen=True, slots=True)
class PathRule:
    """Verbs on paths that are no resources."""

    verbs: frozenset[str] | None
    paths: tuple[str, ...] | None

    @property
    def is_everything(self) -> bool:
        """Whether every request for a path matches."""
        return self.verbs is None and self.paths is None

    def matches(self, info: RequestInfo) -> bool:
        """A rule's path means itself and everything below it."""
        if self.verbs is not None and info.verb not in self.verbs:
            return False
        return self.paths is None or any(_is_below(info.path, path) for path in self.paths)


def _is_below(path: str, rule: str) -> bool:
    prefix = rule.removesuffix("*")
    return path == rule or path.startswith(prefix if prefix.endswith("/") else f"{prefix}/")


@dataclass(frozen=True, slots=True)
class Rule:
    """Whose requests, and which."""

    subjects: tuple[tuple[str, str, str], ...]  # (kind, namespace, name)
    resources: tuple[ResourceRule, ...]
    paths: tuple[PathRule, ...]

    def concerns(self, user: User) -> bool:
        """Whether one of the subjects is the user."""
        return any(_is_subject(user, *subject) for subject in self.subjects)


def _is_subject(user: User, kind: str, namespace: str, name: str) -> bool:
    match kind:
        case "User":
            return name in (_EVERY, user.name)
        case "Group":
            return name == _EVERY or name in user.groups
        case "ServiceAccount":
            prefix = f"{_SERVICE_ACCOUNT}{namespace}:"
            return user.name.startswith(prefix) and name in (_EVERY, user.name.removeprefix(prefix))
    return False


@dataclass(frozen=True, slots=True)
class Schema:
    """A FlowSchema, ready to match."""

    name: str
    uid: str
    level: str
    precedence: int
    distinguisher: str  # "", ByUser, ByNamespace
    rules: tuple[Rule, ...]

    def flow(self, user: User, info: RequestInfo) -> str:
        """What tells this request's flow from others of the FlowSchema."""
        if self.distinguisher == "ByUser":
            return user.name
        return info.namespace if self.distinguisher == "ByNamespace" else ""


def schema_of(tree: Json) -> Schema:
    """A FlowSchema object, taken apart."""
    spec = tree["spec"]
    return Schema(
        name=tree["metadata"]["name"],
        uid=tree["metadata"].get("uid", ""),
        level=spec["priorityLevelConfiguration"]["name"],
        precedence=spec.get("matchingPrecedence", 1000),
        distinguisher=(spec.get("distinguisherMethod") or {}).get("type", ""),
        rules=tuple(_rule(rule) for rule in spec.get("rules") or ()),
    )


def _rule(tree: Json) -> Rule:
    return Rule(
        subjects=tuple(_subject(subject) for subject in tree.get("subjects") or ()),
        resources=tuple(
            ResourceRule(
                verbs=_set(rule.get("verbs")),
                groups=_set(rule.get("apiGroups")),
                resources=_set(rule.get("resources")),
                namespaces=_set(rule.get("namespaces")),
                cluster=bool(rule.get("clusterScope")),
            )
            for rule in tree.get("resourceRules") or ()
        ),
        paths=tuple(
            PathRule(verbs=_set(rule.get("verbs")), paths=_paths(rule.get("nonResourceURLs")))
            for rule in tree.get("nonResourceRules") or ()
        ),
    )


def _subject(tree: Json) -> tuple[str, str, str]:
    kind = tree.get("kind", "")
    body = tree.get(kind[:1].lower() + kind[1:]) or {}
    return (kind, body.get("namespace", ""), body.get("name", ""))


def _set(values: Sequence[str] | None) -> frozenset[str] | None:
    return None if list(values or ()) == [_EVERY] else frozenset(values or ())


def _paths(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if _EVERY in (values or ()) else tuple(values or ())


@dataclass(frozen=True, slots=True)
class _Candidates:
    """What is left to look at for one user, in order. A rule of None matches without a look."""

    resources: Sequence[tuple[ResourceRule | None, Schema]]
    paths: Sequence[tuple[PathRule | None, Schema]]


class Matcher:
    """All FlowSchemas in their order. The last one, catch-all, matches everything."""

    def __init__(self, schemas: Iterable[Schema]) -> None:
        self.schemas = sorted(schemas, key=lambda schema: (schema.precedence, schema.name))
        self._of_users: dict[tuple[str, tuple[str, ...]], _Candidates] = {}

    def schema(self, user: User, info: RequestInfo) -> Schema:
        """The FlowSchema of a request."""
        key = (user.name, user.groups)
        candidates = self._of_users.get(key)
        if candidates is None:
            candidates = self._remember(key, user)
        if not info.is_resource:
            for path_rule, schema in candidates.paths:
                if path_rule is None or path_rule.matches(info):
                    return schema
            return self.schemas[-1]
        resource = f"{info.plural}/{info.subresource}" if info.subresource else info.plural
        for rule, schema in candidates.resources:
            if rule is None or rule.matches(info, resource):
                return schema
        return self.schemas[-1]

    def _remember(self, key: tuple[str, tuple[str, ...]], user: User) -> _Candidates:
        rules = [(rule, schema) for schema in self.schemas for rule in schema.rules if rule.concerns(user)]
        candidates = _Candidates(
            [(None if part.is_everything else part, schema) for rule, schema in rules for part in rule.resources],
            [(None if part.is_everything else part, schema) for rule, schema in rules for part in rule.paths],
        )
        if len(self._of_users) >= _REMEMBERED:
            self._of_users.clear()
        self._of_users[key] = candidates
        return candidates
