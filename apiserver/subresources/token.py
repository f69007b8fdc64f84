"""`serviceaccounts/NAME/token`: a TokenRequest is answered with a signed token and forgotten."""

from functools import partial

import msgspec

from apimachinery.kinds import CREATE_ONLY, Kind
from apiserver.authentication.tokens import Issuer, request_token
from apiserver.call import Call, Response
from apiserver.registry import Handler, Resource
from apiserver.resources import fields, presenting, reviewing
from apiserver.resources.api import Api
from apiserver.resources.options import write_options
from apiserver.resources.writing import attributes_of

TOKEN_REQUEST = Kind(group="authentication.k8s.io", kind="TokenRequest", plural="tokenrequests", verbs=CREATE_ONLY)


def handlers(api: Api, issuer: Issuer) -> dict[str, Handler]:
    """The one verb of serviceaccounts/token."""

    async def create(call: Call, resource: Resource) -> Response:
        body = await fields.typed_body(call, TOKEN_REQUEST)
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
        return presenting.encoded(call, msgspec.json.encode(answer), 201)

    return {"create": create}
