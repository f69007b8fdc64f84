"""Who may approve and sign certificates, and what may not be asked for.

Source: plugin/pkg/admission/certificates/{approval,signing,subjectrestriction}.
"""

import base64

from cryptography import x509
from cryptography.x509.oid import NameOID

from apimachinery import kinds
from apiserver.admission.plugin import CREATE, UPDATE, Plugin, Review, resources
from apiserver.request import MASTERS, Attributes

_CSR = kinds.CERTIFICATESIGNINGREQUESTS
_CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


def _may(review: Review, verb: str, signer: str) -> bool:
    """Permission on the signer itself, or on all of its domain (`example.com/*`)."""
    if review.authorize is None or MASTERS in review.user.groups:
        return True
    domain = signer.partition("/")[0]
    return any(review.authorize(_question(review, verb, name)).allowed for name in (signer, f"{domain}/*"))


def _question(review: Review, verb: str, name: str) -> Attributes:
    return Attributes(
        user=review.user,
        verb=verb,
        group="certificates.k8s.io",
        version="*",
        plural="signers",
        name=name,
    )


def _approval(review: Review) -> None:
    if not review.is_about(_CSR, UPDATE, subresource="approval"):
        return
    signer = ((review.old or review.tree).get("spec") or {}).get("signerName", "")
    if not _may(review, "approve", signer):
        raise review.refuse(f'user not permitted to approve requests with signerName "{signer}"')


def _signing(review: Review) -> None:
    """Only who writes a certificate or a failure signs; other writes of the status are free."""
    if not review.is_about(_CSR, UPDATE, subresource="status") or review.old is None:
        return
    now, was = (tree.get("status") or {} for tree in (review.tree, review.old))
    if now.get("certificate") == was.get("certificate") and now.get("conditions") == was.get("conditions"):
        return
    signer = review.old["spec"].get("signerName", "")
    if not _may(review, "sign", signer):
        raise review.refuse(f'user not permitted to sign requests with signerName "{signer}"')


def _subject(review: Review) -> None:
    """Nobody asks the cluster's own client signer to be made an administrator of everything."""
    if not review.is_about(_CSR, CREATE):
        return
    spec = review.tree.get("spec") or {}
    if spec.get("signerName") != _CLIENT_SIGNER:
        return
    try:
        request = x509.load_pem_x509_csr(base64.b64decode(spec.get("request", "")))
    except ValueError as error:
        raise review.refuse(f"could not parse CSR: {error}") from None
    groups = [str(part.value) for part in request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    if MASTERS in groups:
        raise review.refuse(f"use of {_CLIENT_SIGNER} signer with {MASTERS} group is not allowed")


APPROVAL = Plugin("CertificateApproval", validate=_approval, of=resources(_CSR))
SIGNING = Plugin("CertificateSigning", validate=_signing, of=resources(_CSR))
SUBJECT_RESTRICTION = Plugin("CertificateSubjectRestriction", validate=_subject, of=resources(_CSR))
