"""Approves the certificates that nodes ask for: a kubelet's client certificate, where the asker may have one.

What is asked for must look like a kubelet's client certificate, and a SubjectAccessReview says whether the asker may
create `selfnodeclient` (a node renews its own) or `nodeclient` (a bootstrap token asks for a node). What is not
recognised is left for people. Source: pkg/controller/certificates/approver/sarapprove.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from apimachinery.kinds import CERTIFICATESIGNINGREQUESTS, SUBJECTACCESSREVIEWS
from apimachinery.times import rfc3339
from apimachinery.types import Json
from client.client import Client
from client.plan import Key, Patch, Plan, View, Watch, itself
from controllers.certificates import common_name, conditions_of, is_kubelet_client, verdicts
from controllers.views import SigningRequest

_MESSAGES = {
    "selfnodeclient": "Auto approving self kubelet client certificate after SubjectAccessReview.",
    "nodeclient": "Auto approving kubelet client certificate after SubjectAccessReview.",
}


@dataclass(frozen=True)
class CertificateApprover:
    """The controller of requests that nobody has judged yet. `look` asks whether the asker may have it."""

    name: str = "certificatesigningrequest-approving-controller"
    watches: Sequence[Watch] = (Watch(CERTIFICATESIGNINGREQUESTS, itself),)

    async def look(self, client: Client, key: Key, view: View) -> str:
        """The permission by which it is to be approved, "" for none."""
        request: SigningRequest | None = view.get(CERTIFICATESIGNINGREQUESTS, key)
        for subresource in permissions(request) if request is not None else ():
            review = await client.create(SUBJECTACCESSREVIEWS, _question(request, subresource))
            if (review.get("status") or {}).get("allowed"):
                return subresource
        return ""

    def plan(self, key: Key, view: View, now: float, seen: str) -> Plan:
        request: SigningRequest | None = view.get(CERTIFICATESIGNINGREQUESTS, key)
        if request is None or not seen:
            return Plan()
        stamp = rfc3339(now)
        approval = {
            "type": "Approved",
            "status": "True",
            "reason": "AutoApproved",
            "message": _MESSAGES[seen],
            "lastUpdateTime": stamp,
            "lastTransitionTime": stamp,
        }
        meta = request.metadata
        patch = Patch(
            CERTIFICATESIGNINGREQUESTS,
            key,
            meta.uid,
            {"status": {"conditions": [*conditions_of(request), approval]}},
            subresource="approval",
            resource_version=meta.resource_version,
        )
        return Plan([patch])


def permissions(request: SigningRequest) -> Sequence[str]:
    """The permissions by which a request can be approved, in the order in which they are asked about."""
    if request.status.certificate or verdicts(request, "Approved", "Denied"):
        return ()
    asked = x509.load_pem_x509_csr(request.spec.request or b"")
    if not is_kubelet_client(request, asked):
        return ()
    is_own = request.spec.username == common_name(asked)
    return ("selfnodeclient", "nodeclient") if is_own else ("nodeclient",)


def _question(request: Any, subresource: str) -> Json:
    spec = request.spec
    about = {
        "group": CERTIFICATESIGNINGREQUESTS.group,
        "version": "*",
        "resource": CERTIFICATESIGNINGREQUESTS.plural,
        "subresource": subresource,
        "verb": "create",
    }
    who = {"user": spec.username, "uid": spec.uid, "groups": list(spec.groups), "extra": dict(spec.extra)}
    return {
        "apiVersion": SUBJECTACCESSREVIEWS.api_version,
        "kind": SUBJECTACCESSREVIEWS.kind,
        "spec": {**{name: value for name, value in who.items() if value}, "resourceAttributes": about},
    }
