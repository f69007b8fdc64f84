"""The resources that the server starts with: every built-in kind with its strategy, subresources and peculiarities.

The only place that knows which kinds are special: reviews that are computed, kinds that expire, namespaces that wait to
be emptied, subresources that stand for more than a part of their object. Each is a row of data or one function.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from apimachinery import conversion, times
from apimachinery import kinds as k
from apimachinery.errors import FieldError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver import components
from apiserver.allocation import ServiceAllocator
from apiserver.authentication.authenticator import Authenticator
from apiserver.authentication.reviews import self_subject_review, token_review
from apiserver.authentication.tokens import Issuer
from apiserver.authorization import escalation, reviews
from apiserver.authorization.authorizer import Authorizer
from apiserver.authorization.policy_params import ParamsGuard
from apiserver.connect import KubeletClientConfig, handles
from apiserver.customresources import cleanup
from apiserver.registry import Deletion, Handler, Resource, Virtual, stored_kind
from apiserver.request import Request, User
from apiserver.resources import patching, reading, writing
from apiserver.resources.api import Api
from apiserver.resources.stages import STATUS
from apiserver.strategies import strategy_of, strategy_of_version
from apiserver.strategies.devices import admin_access
from apiserver.subresources import binding, connecting, eviction, scale, token

#: Upstream's --event-ttl.
EVENT_TTL = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What special resources need: who judges tokens and rights, who signs, how kubelets are reached."""

    authenticator: Authenticator | None
    authorizer: Authorizer
    issuer: Issuer | None
    kubelet: KubeletClientConfig
    services: ServiceAllocator


def resources(api: Api, parts: Parts, kinds: Iterable[Kind]) -> list[Resource]:
    """The built-in resources of these kinds."""
    virtual = _reviews(api, parts)
    return [_resource(api, parts, kind, virtual.get(kind)) for kind in kinds]


def _resource(api: Api, parts: Parts, kind: Kind, respond: Virtual | None) -> Resource:
    stored = stored_kind(kind)
    return Resource(
        kind=kind,
        stored=stored,
        strategy=strategy_of_version(kind, stored),
        warnings=tuple(filter(None, (strategy_of(stored).deprecated,))),
        deletion=_DELETIONS.get(kind, Deletion()),
        respond=respond,
        subresources=_subresources(api, parts, kind, stored),
        convert=conversion.convert if stored is not kind else None,
        guard=partial(_not_escalating, parts.authorizer, kind) if kind.group == k.ROLES.group else None,
        authorizes=_authorizes(api, parts.authorizer, kind),
        admits=partial(_admits_devices, api) if kind.plural in _CLAIMS else None,
        reserves=parts.services if kind is k.SERVICES else None,
        ttl=EVENT_TTL if stored is k.EVENTS else 0,
        is_obeyed=kind.group == k.MUTATINGWEBHOOKCONFIGURATIONS.group or kind is k.CUSTOMRESOURCEDEFINITIONS,
    )


def _not_escalating(authorizer: Authorizer, kind: Kind, user: User, new: Json, old: Json | None) -> None:
    escalation.check(authorizer, user, kind, new, old)


#: What can ask for devices.
_CLAIMS = ("resourceclaims", "resourceclaimtemplates")


def _admits_devices(api: Api, new: Json, old: Json | None, subresource: str) -> list[FieldError]:
    path = admin_access.wanted(new, old, subresource)
    if not path:
        return []
    namespace = api.lookup.get(k.NAMESPACES, "", new["metadata"].get("namespace") or "") or {}
    return admin_access.problems(path, (namespace.get("metadata") or {}).get("labels") or {})


def _authorizes(
    api: Api, authorizer: Authorizer, kind: Kind
) -> Callable[[User, Json, Json | None], list[FieldError]] | None:
    """Who names parameters in a policy, or in a binding, must be allowed to read them."""
    stored = stored_kind(kind)
    policies, bindings = _POLICIES
    if stored not in (*policies, *bindings):
        return None
    sort = (policies if stored in policies else bindings).index(stored)
    guard = ParamsGuard(
        authorize=authorizer.authorize,
        plural_of=partial(_plural_of, api),
        policy=partial(api.lookup.get, policies[sort], ""),
        swaps=sort == 1,
    )
    return guard.of_policy if stored in policies else guard.of_binding


_POLICIES = (
    (k.VALIDATINGADMISSIONPOLICIES, k.MUTATINGADMISSIONPOLICIES_V1ALPHA1),
    (k.VALIDATINGADMISSIONPOLICYBINDINGS, k.MUTATINGADMISSIONPOLICYBINDINGS_V1ALPHA1),
)


def _plural_of(api: Api, api_version: str, kind: str) -> str | None:
    found = (
        row.kind for row in api.registry.resources() if (row.kind.api_version, row.kind.kind) == (api_version, kind)
    )
    return next((row.plural for row in found), None)


def _subresources(api: Api, parts: Parts, kind: Kind, stored: Kind) -> dict[str, Mapping[str, Handler]]:
    found: dict[str, Mapping[str, Handler]] = {}
    written: dict[str, Handler] = {
        "get": partial(reading.get, api),
        "patch": partial(patching.patch_object, api),
        "update": partial(writing.update, api),
    }
    of_part: dict[str, Handler] = {**written, "get": partial(reading.get_part, api)}
    special = _special(api, parts)
    own_parts = strategy_of(stored).parts
    for name in kind.subresources:
        if (kind.plural, name) in special:
            found[name] = special[kind.plural, name]
        elif handles(kind, name):
            found[name] = connecting.handlers(api, parts.kubelet, name)
        elif name == "scale":
            found[name] = scale.handlers(api)
        elif name == STATUS:
            found[name] = written if kind not in _STATUS_WITHOUT_TABLE else of_part
        elif name in own_parts:
            found[name] = of_part
    if kind is k.COMPONENTSTATUSES:
        found[""] = components.handlers(api)
    if kind is k.BINDINGS:
        found[""] = {"create": binding.collection_handler(api)}
    return found


def _special(api: Api, parts: Parts) -> dict[tuple[str, str], Mapping[str, Handler]]:
    rows: dict[tuple[str, str], Mapping[str, Handler]] = {
        ("pods", "binding"): binding.handlers(api),
        ("pods", "eviction"): eviction.handlers(api),
        ("namespaces", "finalize"): {"update": partial(writing.update, api)},
    }
    if parts.issuer is not None:
        rows["serviceaccounts", "token"] = token.handlers(api, parts.issuer)
    return rows


def _reviews(api: Api, parts: Parts) -> dict[Kind, Virtual]:
    """The kinds that are questions: answered and forgotten."""
    authorizer, authenticator = parts.authorizer, parts.authenticator

    async def access(_request: Request, body: Json) -> Json:
        return reviews.subject_access_review(authorizer, body)

    async def local_access(request: Request, body: Json) -> Json:
        return reviews.local_subject_access_review(authorizer, body, request.info.namespace if request.info else "")

    async def own_access(request: Request, body: Json) -> Json:
        assert request.user is not None
        return reviews.self_subject_access_review(authorizer, request.user, body)

    async def own_rules(request: Request, body: Json) -> Json:
        assert request.user is not None
        return reviews.self_subject_rules_review(authorizer, request.user, body)

    async def whoami(request: Request, _body: Json) -> Json:
        assert request.user is not None
        return self_subject_review(request.user, times.rfc3339(api.clock()))

    async def token_of(_request: Request, body: Json) -> Json:
        assert authenticator is not None
        await api.fresh()  # a token may be younger than the cache
        return token_review(authenticator, body)

    found: dict[Kind, Virtual] = {
        k.SUBJECTACCESSREVIEWS: access,
        k.LOCALSUBJECTACCESSREVIEWS: local_access,
        k.SELFSUBJECTACCESSREVIEWS: own_access,
        k.SELFSUBJECTRULESREVIEWS: own_rules,
        k.SELFSUBJECTREVIEWS: whoami,
    }
    if authenticator is not None:
        found[k.TOKENREVIEWS] = token_of
    return found


def _namespace_is_held(tree: Json) -> bool:
    return bool((tree.get("spec") or {}).get("finalizers"))


def _namespace_terminates(tree: Json) -> Json:
    """A namespace has no grace period; its phase says that it is being emptied."""
    tree["metadata"].pop("deletionGracePeriodSeconds", None)
    tree["status"] = {**(tree.get("status") or {}), "phase": "Terminating"}
    return tree


#: Whose status upstream shows by no columns.
_STATUS_WITHOUT_TABLE = (k.CUSTOMRESOURCEDEFINITIONS, k.APISERVICES, k.RESOURCECLAIMS)

_DELETIONS: Mapping[Kind, Deletion] = {
    k.NAMESPACES: Deletion(holds=_namespace_is_held, mark=_namespace_terminates, is_own=True),
    k.CUSTOMRESOURCEDEFINITIONS: cleanup.DELETION,
}
