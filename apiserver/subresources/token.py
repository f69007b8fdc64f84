"""`serviceaccounts/NAME/token`: a TokenRequest is answered with a signed token and forgotten."""

from functools import partial

import msgspec

from apimachinery import times
from apimachinery.kinds import CREATE_ONLY, Kind
from apimachinery.types import Json
from apiserver.authentication.tokens import DEFAULT_SECONDS, Issuer, request_token
from apiserver.call import Call, Response
from apiserver.registry import Handler, Resource
from apiserver.resources import fields, managing, presenting, reviewing
from apiserver.resources.api import Api
from apiserver.resources.options import write_options
from apiserver.resources.writing import attributes_of
from apiserver.strategies.defaulting import fill, part
from apiserver.strategies.strategy import Strategy

TOKEN_REQUEST = Kind(group="authentication.k8s.io", kind="TokenRequest", plural="tokenrequests", verbs=CREATE_ONLY)
#: For whose fields are whose.
_RESOURCE = Resource(kind=TOKEN_REQUEST, stored=TOKEN_REQUEST, strategy=Strategy())


def handlers(api: Api, issuer: Issuer) -> dict[str, Handler]:
    """The one verb of serviceaccounts/token."""

    async def create(call: Call, resource: Resource) -> Response:
        body = _managed(call, await fields.typed_body(call, TOKEN_REQUEST), api.clock())
        subject = partial(reviewing.posted, call, resource, attributes_of(call), TOKEN_REQUEST, write_options(call))
        body = await api.admission.review(subject, body, call.warn)
        await api.fresh()  # the account, or the pod that the token is bound to, may be a moment old
        answer, warnings = request_token(
            issuer,
            api.lookup,
            call.target.namespace,
            call.target.name,
            body,
            now=api.clock(),
            jti=api.new_uid(),
        )
        for text in warnings:
            call.warn(text)
        answer["metadata"]["uid"] = api.new_uid()
        return presenting.encoded(call, msgspec.json.encode(answer), 201)

    return {"create": create}


def _managed(call: Call, body: Json, now: float) -> Json:
    """The request with its default, and with who set what: as any object that is created, though it is forgotten."""
    fill(part(body, "spec"), "expirationSeconds", DEFAULT_SECONDS)
    rules, manager = managing.ownership(_RESOURCE, "token"), managing.manager_of(call, write_options(call))
    return managing.with_entries(body, rules.update(None, body, manager, times.rfc3339(now)))
