"""`serviceaccounts/NAME/token`: a TokenRequest is answered with a signed token and forgotten."""

from functools import partial

from apimachinery import errors
from apimachinery.kinds import CREATE_ONLY, Kind
from apiserver import negotiation
from apiserver.authentication.tokens import Issuer, defaulted, request_token
from apiserver.call import Call, Response
from apiserver.registry import Handler, Resource
from apiserver.resources import decoding, fields, presenting, reviewing, writing
from apiserver.resources.addressing import attributes_of
from apiserver.resources.api import Api
from apiserver.resources.options import write_options
from apiserver.strategies.strategy import Strategy

TOKEN_REQUEST = Kind(group="authentication.k8s.io", kind="TokenRequest", plural="tokenrequests", verbs=CREATE_ONLY)
#: For whose fields it has.
RESOURCE = Resource(kind=TOKEN_REQUEST, stored=TOKEN_REQUEST, strategy=Strategy())


def handlers(api: Api, issuer: Issuer) -> dict[str, Handler]:
    """The one verb of serviceaccounts/token."""

    async def create(call: Call, resource: Resource) -> Response:
        if call.accepted.transform == negotiation.TABLE:
            raise errors.not_acceptable(negotiation.MEDIA_TYPES)
        options, body = write_options(call), defaulted(await fields.typed_body(call, TOKEN_REQUEST))
        decoding.place(body, resource.kind, call.target.namespace)
        body = writing.owned(api, call, RESOURCE, options, body, call.target.subresource)
        subject = partial(reviewing.posted, call, resource, attributes_of(call), TOKEN_REQUEST, options)
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
        return presenting.computed(call, answer, "authentication.TokenRequest", 201)

    return {"create": create}
