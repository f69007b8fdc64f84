"""The roles and bindings every cluster starts with, read from bootstrap_policy.yaml (its head explains the notation).

Names, rules and labels are upstream's for v1.34, so that charts and operators find what they bind to.
Source: plugin/pkg/auth/authorizer/rbac/bootstrappolicy.
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from apimachinery.types import Json

AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_GROUP = "rbac.authorization.k8s.io"
_AGGREGATE = f"{_GROUP}/aggregate-to-"
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_CONTROLLER = "system:controller:"


def objects() -> list[Json]:
    """Every bootstrap object, in the order to write them: cluster roles, their bindings, then by namespace."""
    policy = _policy()
    roles = [*policy["clusterRoles"].items()]
    controllers = [(_CONTROLLER + name, {"rules": rules}) for name, rules in policy["controllers"].items()]
    found = [_cluster_role(name, spec) for name, spec in [*roles, *controllers]]
    found += [_cluster_binding(name, subjects) for name, subjects in policy["clusterRoleBindings"].items()]
    found += [_cluster_binding(name, [_account(name)]) for name, _ in controllers]
    for namespace, content in policy["namespaces"].items():
        found += [_role(namespace, name, rules) for name, rules in content["roles"].items()]
        found += [_binding(namespace, name, spec) for name, spec in content["roleBindings"].items()]
    return found


def node_rules() -> list[Json]:
    """The rules of the cluster role system:node, by which the Node authorizer decides what it does not subdivide."""
    return [_rule(line) for line in _policy()["clusterRoles"]["system:node"]["rules"]]


@lru_cache(maxsize=1)
def _policy() -> dict[str, Any]:
    text = files(__package__).joinpath("bootstrap_policy.yaml").read_text()
    loaded: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return loaded


def _account(role: str) -> str:
    return "ServiceAccount kube-system/" + role.removeprefix(_CONTROLLER)


def _cluster_role(name: str, spec: Mapping[str, Any]) -> Json:
    labels = dict(_LABELS)
    if target := spec.get("aggregateTo"):
        labels[_AGGREGATE + target] = "true"
    role = _object("ClusterRole", name, "", labels)
    if source := spec.get("aggregates"):
        role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {_AGGREGATE + source: "true"}}]}
    role["rules"] = [_rule(line) for line in spec.get("rules") or ()]
    return role


def _role(namespace: str, name: str, rules: list[str]) -> Json:
    return {**_object("Role", name, namespace, _LABELS), "rules": [_rule(line) for line in rules]}


def _cluster_binding(name: str, subjects: list[str]) -> Json:
    return _bound(_object("ClusterRoleBinding", name, "", _LABELS), "ClusterRole", name, subjects)


def _binding(namespace: str, name: str, spec: Mapping[str, Any]) -> Json:
    return _bound(_object("RoleBinding", name, namespace, _LABELS), "Role", spec.get("role", name), spec["subjects"])


def _bound(binding: Json, kind: str, role: str, subjects: list[str]) -> Json:
    binding["roleRef"] = {"apiGroup": _GROUP, "kind": kind, "name": role}
    if subjects:
        binding["subjects"] = [_subject(text) for text in subjects]
    return binding


def _object(kind: str, name: str, namespace: str, labels: Mapping[str, str]) -> Json:
    metadata: Json = {"name": name, "labels": dict(labels), "annotations": {AUTOUPDATE: "true"}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": metadata}


def _subject(text: str) -> Json:
    kind, name = text.split(" ")
    if kind == "ServiceAccount":
        namespace, name = name.split("/")
        return {"kind": kind, "name": name, "namespace": namespace}
    return {"apiGroup": _GROUP, "kind": kind, "name": name}


_VERBS = {
    "READ": ("get", "list", "watch"),
    "WRITE": ("create", "delete", "deletecollection", "patch", "update"),
    "EDIT": ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"),
}


def _rule(line: str) -> Json:
    """One line of the notation as a PolicyRule."""
    verbs, *rest = line.split(" ")
    found: Json = {"verbs": sorted({v for word in verbs.split(",") for v in _VERBS.get(word, (word,))})}
    if len(rest) == 1:
        return {"nonResourceURLs": sorted(rest[0].split(",")), **found}
    groups, resources, *names = rest
    rule: Json = {"apiGroups": sorted("" if g == "core" else g for g in groups.split(","))}
    rule["resources"] = sorted(resources.split(","))
    if names:
        rule["resourceNames"] = sorted(names[0].split(","))
    return {**rule, **found}
