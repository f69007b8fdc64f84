"""Webhooks and policies of one server, put together: where configurations, services and parameters are read."""

from collections.abc import Callable, Sequence
from functools import partial

from apimachinery import kinds as k
from apimachinery.types import Json
from apiserver.admission.dynamic import Dynamic
from apiserver.admission.policies import ParamKind, Policies
from apiserver.admission.webhook_client import WebhookClient
from apiserver.admission.webhooks import Source, Webhooks
from apiserver.connect.services import resolve
from apiserver.registry import Resource
from apiserver.request import Attributes, Decision
from apiserver.resources.api import Api
from apiserver.resources.lookup import ChangeCounter


def dynamic(api: Api, authorize: Callable[[Attributes], Decision]) -> Dynamic:
    """What is configured through the API itself."""
    mutating, validating = k.MUTATINGWEBHOOKCONFIGURATIONS, k.VALIDATINGWEBHOOKCONFIGURATIONS
    policies = (k.VALIDATINGADMISSIONPOLICIES, k.VALIDATINGADMISSIONPOLICYBINDINGS)
    return Dynamic(
        Webhooks(
            mutating=Source(api.lookup, mutating, ChangeCounter(api.cache, (mutating,))),
            validating=Source(api.lookup, validating, ChangeCounter(api.cache, (validating,))),
            client=WebhookClient(partial(resolve, api.lookup)),
            lookup=api.lookup,
            authorize=authorize,
            new_uid=api.new_uid,
        ),
        Policies(
            lookup=api.lookup,
            changes=ChangeCounter(api.cache, policies),
            params=partial(_params, api),
            authorize=authorize,
        ),
    )


def _params(api: Api, api_version: str, kind: str) -> ParamKind | None:
    for resource in api.registry.resources():
        if (resource.kind.api_version, resource.kind.kind) == (api_version, kind) and resource.kind.is_stored:
            return ParamKind(resource.kind.namespaced, partial(_param, api, resource), partial(_all, api, resource))
    return None


def _param(api: Api, resource: Resource, namespace: str, name: str) -> Json | None:
    found = api.lookup.get(resource.kind, namespace, name)
    return resource.to_served(found) if found is not None else None


def _all(api: Api, resource: Resource, namespace: str) -> Sequence[Json]:
    return [resource.to_served(tree) for tree in api.lookup.list(resource.kind, namespace)]
