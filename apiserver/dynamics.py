"""Webhooks and policies of one server, put together: where configurations, services and parameters are read."""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from apimachinery import errors
from apimachinery import kinds as k
from apimachinery.types import Json
from apiserver.admission import mutating_programs, policy_programs
from apiserver.admission.dynamic import Dynamic
from apiserver.admission.mutating_policies import MutatingPolicies
from apiserver.admission.policies import Policies
from apiserver.admission.policy_source import ParamKind, Source
from apiserver.admission.webhook_client import WebhookClient
from apiserver.admission.webhook_source import Source as Hooks
from apiserver.admission.webhooks import Webhooks
from apiserver.aggregation.resolving import Unresolved, cluster_address, endpoint_address
from apiserver.registry import Resource
from apiserver.request import Attributes, Decision
from apiserver.resources.api import Api
from apiserver.resources.lookup import ChangeCounter


def webhook_client(api: Api) -> WebhookClient:
    """Asks webhooks of every sort, at services too."""
    return WebhookClient(partial(_resolve, api))


def dynamic(
    api: Api,
    authorize: Callable[[Attributes], Decision],
    client: WebhookClient,
    *,
    mutating_policies: bool,
) -> Dynamic:
    """What is configured through the API itself."""
    mutating, validating = k.MUTATINGWEBHOOKCONFIGURATIONS, k.VALIDATINGWEBHOOKCONFIGURATIONS
    return Dynamic(
        Webhooks(
            mutating=Hooks(api.lookup, mutating, ChangeCounter(api.cache, (mutating,))),
            validating=Hooks(api.lookup, validating, ChangeCounter(api.cache, (validating,))),
            client=client,
            lookup=api.lookup,
            authorize=authorize,
            new_uid=api.new_uid,
            clock=api.clock,
        ),
        Policies(source=_validating(api), authorize=authorize, clock=api.clock),
        MutatingPolicies(source=_mutating(api), authorize=authorize, clock=api.clock) if mutating_policies else None,
    )


def _validating(api: Api) -> Source[policy_programs.Programs]:
    kinds = (k.VALIDATINGADMISSIONPOLICIES, k.VALIDATINGADMISSIONPOLICYBINDINGS)
    changes, params = ChangeCounter(api.cache, kinds), partial(_params, api)
    return Source(lookup=api.lookup, kinds=kinds, changes=changes, params=params, compile=policy_programs.compiled)


def _mutating(api: Api) -> Source[mutating_programs.Mutations]:
    kinds = (k.MUTATINGADMISSIONPOLICIES, k.MUTATINGADMISSIONPOLICYBINDINGS)
    changes, params = ChangeCounter(api.cache, kinds), partial(_params, api)
    return Source(lookup=api.lookup, kinds=kinds, changes=changes, params=params, compile=mutating_programs.compiled)


def _resolve(api: Api, namespace: str, name: str, port: int) -> tuple[str, int]:
    """Where a webhook's service is: at one of its endpoints, so that no kube-proxy need run beside the server."""
    service = api.lookup.get(k.SERVICES, namespace, name)
    if service is None:
        raise errors.not_found("", "services", name)
    try:
        if service["spec"].get("type") == "ExternalName":
            address = cluster_address(service, port)
        else:
            slices = [piece for piece in api.lookup.list(k.ENDPOINTSLICES, namespace) if _belongs(piece, name)]
            address = endpoint_address(service, slices, port, api.random.choice)
    except Unresolved as error:
        raise errors.service_unavailable(str(error)) from None
    host, _, found = address.rpartition(":")
    return host.strip("[]"), int(found)


def _belongs(piece: Json, service: str) -> bool:
    return (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == service


def _params(api: Api, api_version: str, kind: str) -> ParamKind | None:
    for resource in api.registry.resources():
        if (resource.kind.api_version, resource.kind.kind) == (api_version, kind) and resource.kind.is_stored:
            return ParamKind(resource.kind.namespaced, partial(_param, api, resource), partial(_all, api, resource))
    return None


async def _param(api: Api, resource: Resource, namespace: str, name: str) -> Json | None:
    found = api.lookup.get(resource.kind, namespace, name)
    return await _as_asked(resource, found) if found is not None else None


async def _all(api: Api, resource: Resource, namespace: str) -> Sequence[Json]:
    return [await _as_asked(resource, tree) for tree in api.lookup.list(resource.kind, namespace)]


async def _as_asked(resource: Resource, tree: Json) -> Json:
    """A parameter in the version that the policy names."""
    if resource.transforms is None or tree["apiVersion"] == resource.kind.api_version:
        return resource.to_served(tree)
    copied: Json = msgspec.json.decode(msgspec.json.encode(tree))
    return await resource.transforms.adopted(copied)
