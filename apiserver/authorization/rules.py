"""One policy rule: which requests it allows, and which other rules it covers.

A rule is compiled once into sets; asking it costs a few set look-ups. Source: pkg/apis/rbac/v1/evaluation_helpers.go,
component-helpers/auth/rbac/validation/policy_comparator.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from apimachinery.types import Json
from apiserver.request import Attributes

ALL = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy rule as sets. `prefixes` are the nonResourceURLs that end in a star, without it."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    paths: frozenset[str]
    prefixes: tuple[str, ...]
    tree: Json

    def allows(self, attributes: Attributes) -> bool:
        """Whether the rule alone allows the request."""
        if attributes.verb not in self.verbs and ALL not in self.verbs:
            return False
        if not attributes.is_resource:
            return self.allows_path(attributes.path)
        return (
            (attributes.group in self.groups or ALL in self.groups)
            and self._allows_resource(attributes.plural, attributes.subresource)
            and (not self.names or attributes.name in self.names)
        )

    def allows_path(self, path: str) -> bool:
        """Whether a nonResourceURL of the rule matches."""
        return path in self.paths or any(path.startswith(prefix) for prefix in self.prefixes)

    def _allows_resource(self, plural: str, subresource: str) -> bool:
        if ALL in self.resources:
            return True
        if not subresource:
            return plural in self.resources
        return f"{plural}/{subresource}" in self.resources or f"*/{subresource}" in self.resources


def compiled(tree: Json) -> Rule:
    """The rule of a Role's or ClusterRole's `rules`."""
    urls = tree.get("nonResourceURLs") or ()
    return Rule(
        verbs=frozenset(tree.get("verbs") or ()),
        groups=frozenset(tree.get("apiGroups") or ()),
        resources=frozenset(tree.get("resources") or ()),
        names=frozenset(tree.get("resourceNames") or ()),
        paths=frozenset(url for url in urls if not url.endswith(ALL)),
        prefixes=tuple(url.rstrip(ALL) for url in urls if url.endswith(ALL)),
        tree=tree,
    )


def uncovered(owned: Iterable[Json], wanted: Iterable[Json]) -> list[Json]:
    """The parts of `wanted`, broken down to single permissions, that no rule of `owned` covers."""
    holders = [compiled(rule) for rule in owned]
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(h, part) for h in holders)]


def _parts(rule: Json) -> list[Json]:
    """The rule as rules of one group, resource, verb and name (or one URL and verb) each."""
    verbs: Sequence[str] = rule.get("verbs") or ()
    names: Sequence[str] = rule.get("resourceNames") or ()
    parts: list[Json] = []
    for group, resource, verb in product(rule.get("apiGroups") or (), rule.get("resources") or (), verbs):
        part = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        parts += [{**part, "resourceNames": [name]} for name in names] if names else [part]
    parts += [{"nonResourceURLs": [u], "verbs": [v]} for u, v in product(rule.get("nonResourceURLs") or (), verbs)]
    return parts


def _covers(holder: Rule, part: Json) -> bool:
    if part["verbs"][0] not in holder.verbs and ALL not in holder.verbs:
        return False
    if "nonResourceURLs" in part:
        return _covers_url(holder, part["nonResourceURLs"][0])
    group, resource = part["apiGroups"][0], part["resources"][0]
    if group not in holder.groups and ALL not in holder.groups:
        return False
    _, _, subresource = resource.partition("/")
    named = resource in holder.resources or (bool(subresource) and f"*/{subresource}" in holder.resources)
    if not named and ALL not in holder.resources:
        return False
    return not holder.names or ("resourceNames" in part and part["resourceNames"][0] in holder.names)


def _covers_url(holder: Rule, url: str) -> bool:
    if url.endswith(ALL):
        return any(url.startswith(prefix) for prefix in holder.prefixes)
    return holder.allows_path(url)


def merged(parts: Iterable[Json]) -> list[Json]:
    """Single permissions on the same thing as one rule with all their verbs, for messages."""
    found: dict[tuple[object, ...], Json] = {}
    rest: list[Json] = []
    for part in parts:
        if "nonResourceURLs" in part:
            rest.append(part)
            continue
        key = (part["apiGroups"][0], part["resources"][0], *part.get("resourceNames", ()))
        if key in found:
            found[key]["verbs"] = [*found[key]["verbs"], *part["verbs"]]
        else:
            found[key] = dict(part)
    return [*found.values(), *rest]


_SHOWN = (
    ("APIGroups", "apiGroups"),
    ("Resources", "resources"),
    ("NonResourceURLs", "nonResourceURLs"),
    ("ResourceNames", "resourceNames"),
    ("Verbs", "verbs"),
)


def compact(rule: Json) -> str:
    """`{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`, as Go prints it."""
    shown = [f"{title}:{quoted(rule[key])}" for title, key in _SHOWN if rule.get(key)]
    return "{" + ", ".join(shown) + "}"


def quoted(values: Iterable[str]) -> str:
    """`["a" "b"]`: how Go's %q shows a list of strings."""
    return "[" + " ".join(f'"{value}"' for value in values) + "]"
