"""`create role`, `clusterrole`, `rolebinding`, `clusterrolebinding`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from apimachinery.kinds import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES
from apimachinery.types import Json
from cli.create import FieldManager, Making, Names, SaveConfig, Validate, make, metadata, named, show, submit
from cli.flags import UsageError
from cli.options import DryRun, Output
from cli.resources import Catalog, catalog
from cli.session import Session, run

Verbs = Annotated[list[str] | None, typer.Option("--verb", help="What may be done.")]
Resources = Annotated[list[str] | None, typer.Option("--resource", help="To which resources.")]
ResourceNames = Annotated[list[str] | None, typer.Option("--resource-name", help="To which objects only.")]
Users = Annotated[list[str] | None, typer.Option("--user", help="Users.")]
Groups = Annotated[list[str] | None, typer.Option("--group", help="Groups.")]
Accounts = Annotated[list[str] | None, typer.Option("--serviceaccount", help="NAMESPACE:NAME")]

_GROUP = "rbac.authorization.k8s.io"


def _split(values: Sequence[str] | None) -> list[str]:
    return list(dict.fromkeys(part.strip() for each in values or () for part in each.split(",") if part.strip()))


def _rules(known: Catalog, verbs: Sequence[str], resources: Sequence[str], names: Sequence[str]) -> list[Json]:
    """A rule for each API group, in the order that the groups were named."""
    groups: dict[str, list[str]] = {}
    for text in resources:
        word, _, subresource = text.partition("/")
        if word == "*":
            group, plural = "", "*"
        else:
            kind = known.find(word)
            group, plural = kind.group, kind.plural
        groups.setdefault(group, []).append(f"{plural}/{subresource}" if subresource else plural)
    extra = {"resourceNames": list(names)} if names else {}
    return [
        {"apiGroups": [group], "resources": each, "verbs": ["*"] if "*" in verbs else list(verbs)} | extra
        for group, each in groups.items()
    ]


def role(
    words: Names = None,
    verb: Verbs = None,
    resource: Resources = None,
    resource_name: ResourceNames = None,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a role."""
    name, verbs, resources = named(words, "role"), _split(verb), _split(resource)
    if not verbs:
        raise UsageError("at least one verb must be specified")
    if not resources:
        raise UsageError("at least one resource must be specified")
    making = Making(dry_run, output, save_config, validate, field_manager)

    async def work(session: Session) -> None:
        rules = _rules(await catalog(session), verbs, resources, _split(resource_name))
        head = metadata(name) | ({"namespace": session.namespace} if session.explicit else {})
        tree = {"apiVersion": ROLES.api_version, "kind": "Role", "metadata": head, "rules": rules}
        show(await submit(session, ROLES, tree, making), ROLES, making)

    run(work)


def clusterrole(
    words: Names = None,
    verb: Verbs = None,
    resource: Resources = None,
    resource_name: ResourceNames = None,
    non_resource_url: Annotated[list[str] | None, typer.Option(help="Paths that are no resources.")] = None,
    aggregation_rule: Annotated[list[str] | None, typer.Option(help="LABEL=VALUE of roles to gather.")] = None,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a cluster role."""
    name, verbs, resources, urls = named(words, "clusterrole"), _split(verb), _split(resource), _split(non_resource_url)
    if not aggregation_rule and not verbs:
        raise UsageError("at least one verb must be specified")
    if not aggregation_rule and not resources and not urls:
        raise UsageError("one of resource or nonResourceURL must be specified")
    making = Making(dry_run, output, save_config, validate, field_manager)

    async def work(session: Session) -> None:
        tree: Json = {"apiVersion": CLUSTERROLES.api_version, "kind": "ClusterRole", "metadata": metadata(name)}
        if aggregation_rule:
            labels = dict(each.split("=", 1) for each in _split(aggregation_rule))
            tree |= {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": labels}]}, "rules": None}
        else:
            rules = _rules(await catalog(session), verbs, resources, _split(resource_name)) if resources else []
            tree["rules"] = rules + ([{"nonResourceURLs": urls, "verbs": verbs}] if urls else [])
        show(await submit(session, CLUSTERROLES, tree, making), CLUSTERROLES, making)

    run(work)


def _subjects(users: Sequence[str], groups: Sequence[str], accounts: Sequence[str]) -> list[Json]:
    found: list[Json] = [{"apiGroup": _GROUP, "kind": "User", "name": name} for name in users]
    found += [{"apiGroup": _GROUP, "kind": "Group", "name": name} for name in groups]
    for account in accounts:
        namespace, colon, name = account.partition(":")
        if not colon or not name or not namespace:
            raise UsageError("serviceaccount must be <namespace>:<name>")
        found.append({"kind": "ServiceAccount", "name": name, "namespace": namespace})
    return found


def rolebinding(
    words: Names = None,
    clusterrole: Annotated[str, typer.Option("--clusterrole", help="The cluster role to bind.")] = "",
    role: Annotated[str, typer.Option("--role", help="The role to bind.")] = "",
    user: Users = None,
    group: Groups = None,
    account: Accounts = None,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a role binding."""
    name = named(words, "rolebinding")
    if bool(clusterrole) == bool(role):
        raise UsageError("exactly one of clusterrole or role must be specified")
    reference = {"apiGroup": _GROUP, "kind": "ClusterRole" if clusterrole else "Role", "name": clusterrole or role}
    tree: Json = {"metadata": metadata(name), "roleRef": reference}
    if subjects := _subjects(_split(user), _split(group), _split(account)):
        tree["subjects"] = subjects
    make(ROLEBINDINGS, tree, Making(dry_run, output, save_config, validate, field_manager))


def clusterrolebinding(
    words: Names = None,
    clusterrole: Annotated[str, typer.Option("--clusterrole", help="The cluster role to bind.")] = "",
    user: Users = None,
    group: Groups = None,
    account: Accounts = None,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a cluster role binding."""
    name = named(words, "clusterrolebinding")
    if not clusterrole:
        raise UsageError('required flag(s) "clusterrole" not set')
    reference = {"apiGroup": _GROUP, "kind": "ClusterRole", "name": clusterrole}
    tree: Json = {"metadata": metadata(name), "roleRef": reference}
    if subjects := _subjects(_split(user), _split(group), _split(account)):
        tree["subjects"] = subjects
    make(CLUSTERROLEBINDINGS, tree, Making(dry_run, output, save_config, validate, field_manager))
