"""CertificateSigningRequests: approved ones are signed with the cluster's CA, old ones are removed.

    kubernetes.io/kube-apiserver-client          signed for "client auth"
    kubernetes.io/kube-apiserver-client-kubelet  signed for a node's own name
    kubernetes.io/kubelet-serving                signed for a node's own name and the addresses asked for
    kubernetes.io/legacy-unknown                 signed as asked

What an approver should not have approved is marked Failed. Who approves is not here: people, what they run, and
certificate_approver.py.
Source: pkg/controller/certificates/{signer,cleaner,authority}, apis/certificates/v1 helpers.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from apimachinery.kinds import CERTIFICATESIGNINGREQUESTS
from apimachinery.times import rfc3339
from client.plan import Delete, Key, Patch, Plan, View, Watch, itself, key_of
from controllers.views import (
    SigningRequest,
    seconds,
)

YEAR = 365 * 24 * 3600.0
SHORTEST = 600.0
BACKDATED = 300.0
#: How old finished and unanswered requests get, in seconds, and how often that is looked at.
FINISHED, PENDING, PERIOD = 3600.0, 24 * 3600.0, 600.0

_CLIENT, _KUBELET, _SERVING, _LEGACY = (
    f"kubernetes.io/{name}"
    for name in ("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown")
)
_NODES, _NODE = "system:nodes", "system:node:"
_KUBELET_USAGES: Mapping[str, frozenset[str]] = {
    _KUBELET: frozenset(("client auth", "digital signature", "key encipherment")),
    _SERVING: frozenset(("digital signature", "key encipherment", "server auth")),
}
_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
}
_EXTENDED = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec tunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft sgc": x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
}
_WATCHES = (Watch(CERTIFICATESIGNINGREQUESTS, itself),)
_PrivateKey: TypeAlias = Any  # of any kind that signs


@dataclass(frozen=True)
class Authority:
    """A CA that signs: its certificate and key, and for how many seconds at most."""

    certificate: x509.Certificate
    key: _PrivateKey
    longest: float = YEAR


def authority(certificate: bytes, key: bytes, longest: float = YEAR) -> Authority:
    """From PEM. Raises ValueError."""
    private = serialization.load_pem_private_key(key, password=None)
    return Authority(x509.load_pem_x509_certificate(certificate), private, longest)


@dataclass(frozen=True)
class CertificateSigner:
    """Signs what was approved."""

    ca: Authority
    name: str = "certificatesigningrequest-signing-controller"
    watches: Sequence[Watch] = _WATCHES

    def plan(self, key: Key, view: View, now: float) -> Plan:
        request: SigningRequest | None = view.get(CERTIFICATESIGNINGREQUESTS, key)
        if request is None or request.spec.signer_name not in (_CLIENT, _KUBELET, _SERVING, _LEGACY):
            return Plan()
        is_approved = bool(verdicts(request, "Approved")) and not verdicts(request, "Denied", "Failed")
        if not is_approved or request.status.certificate:
            return Plan()
        asked = x509.load_pem_x509_csr(request.spec.request or b"")
        problem = _problem(request, asked)
        status = _failed(request, problem, now) if problem else {"certificate": _signed(self.ca, request, asked, now)}
        meta = request.metadata
        patch = Patch(
            CERTIFICATESIGNINGREQUESTS,
            key,
            meta.uid,
            {"status": status},
            subresource="status",
            resource_version=meta.resource_version,
        )
        return Plan([patch])


@dataclass(frozen=True)
class CertificateCleaner:
    """Removes requests an hour after their end, a day after nobody answered, and once their certificate is over."""

    name: str = "certificatesigningrequest-cleaner-controller"
    watches: Sequence[Watch] = _WATCHES

    def plan(self, key: Key, view: View, now: float) -> Plan:
        request: SigningRequest | None = view.get(CERTIFICATESIGNINGREQUESTS, key)
        if request is None or request.metadata.deletion_timestamp is not None:
            return Plan()
        if not _is_over(request, now):
            return Plan(again_in=PERIOD)
        return Plan([Delete(CERTIFICATESIGNINGREQUESTS, key_of(request), request.metadata.uid)])


def _is_over(request: SigningRequest, now: float) -> bool:
    ended = verdicts(request, "Denied", "Failed")
    if request.status.certificate:
        ended = [*ended, *verdicts(request, "Approved")]
        if ended and _last_moment(request.status.certificate) < now:
            return True
    if any(now - seconds(each.last_update_time) > FINISHED for each in ended):
        return True
    return not request.status.conditions and now - seconds(request.metadata.creation_timestamp) > PENDING


def _last_moment(pem: bytes) -> float:
    try:
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()
    except ValueError:
        return float("inf")


def verdicts(request: SigningRequest, *types: str) -> list[Any]:
    """The conditions of these types that hold."""
    return [each for each in request.status.conditions if each.type in types and each.status != "False"]


def conditions_of(request: SigningRequest) -> list[dict[str, Any]]:
    """Its conditions as they are written again, beside a new one."""
    return [
        {
            "type": each.type,
            "status": each.status,
            "reason": each.reason,
            "message": each.message,
            "lastUpdateTime": rfc3339(seconds(each.last_update_time)),
            "lastTransitionTime": rfc3339(seconds(each.last_transition_time)),
        }
        for each in request.status.conditions
    ]


def _failed(request: SigningRequest, problem: str, now: float) -> dict[str, Any]:
    stamp = rfc3339(now)
    failure = {
        "type": "Failed",
        "status": "True",
        "reason": "SignerValidationFailure",
        "message": problem,
        "lastUpdateTime": stamp,
        "lastTransitionTime": stamp,
    }
    return {"conditions": [*conditions_of(request), failure]}


def _problem(request: SigningRequest, asked: x509.CertificateSigningRequest) -> str:
    """Why its signer does not sign what is asked for, in upstream's words; "" when it does."""
    usages = frozenset(request.spec.usages)
    match request.spec.signer_name:
        case "kubernetes.io/kube-apiserver-client":
            for usage in request.spec.usages:
                if usage not in ("client auth", "digital signature", "key encipherment"):
                    return f"invalid usage for client certificate: {usage}"
            return "" if "client auth" in usages else "missing required usage for client certificate: client auth"
        case "kubernetes.io/kube-apiserver-client-kubelet" | "kubernetes.io/kubelet-serving" as signer:
            return next(_node_problems(asked, usages, signer), "")
    return ""


def is_kubelet_client(request: SigningRequest, asked: x509.CertificateSigningRequest) -> bool:
    """Whether it asks for what a kubelet shows the API server, and for nothing else."""
    return request.spec.signer_name == _KUBELET and not any(
        _node_problems(asked, frozenset(request.spec.usages), _KUBELET)
    )


def common_name(asked: x509.CertificateSigningRequest) -> str:
    """The subject's name; the last one where there are several, as Go has it."""
    names = asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[-1].value) if names else ""


def _node_problems(asked: x509.CertificateSigningRequest, usages: frozenset[str], signer: str) -> Iterator[str]:
    organizations, names = (
        [str(each.value) for each in asked.subject.get_attributes_for_oid(oid)]
        for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
    )
    hosts, addresses, mails, uris = (
        _alternatives(asked, type_)
        for type_ in (x509.DNSName, x509.IPAddress, x509.RFC822Name, x509.UniformResourceIdentifier)
    )
    wanted = _KUBELET_USAGES[signer]
    has_usages = usages in (wanted, wanted - {"key encipherment"})
    if organizations != [_NODES]:
        yield "subject organization is not system:nodes"
    if signer == _SERVING and not hosts and not addresses:
        yield "DNS or IP subjectAltName is required"
    if signer != _SERVING and hosts:
        yield "DNS subjectAltNames are not allowed"
    if mails:
        yield "Email subjectAltNames are not allowed"
    if signer != _SERVING and addresses:
        yield "IP subjectAltNames are not allowed"
    if uris:
        yield "URI subjectAltNames are not allowed"
    usages_problem = f"usages did not match [{' '.join(sorted(wanted))}]"
    name_problem = "subject common name does not begin with system:node: "
    has_name = bool(names) and names[-1].startswith(_NODE)
    found = {usages_problem: has_usages, name_problem: has_name}
    order = (usages_problem, name_problem) if signer == _SERVING else (name_problem, usages_problem)
    yield from (each for each in order if not found[each])


def _alternatives(asked: x509.CertificateSigningRequest, type_: type[x509.GeneralName]) -> Sequence[x509.GeneralName]:
    extension = _alternative_names(asked)
    return [] if extension is None else [each for each in extension.value if isinstance(each, type_)]


def _alternative_names(asked: x509.CertificateSigningRequest) -> x509.Extension[x509.SubjectAlternativeName] | None:
    try:
        return asked.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return None


def _signed(ca: Authority, request: SigningRequest, asked: x509.CertificateSigningRequest, now: float) -> str:
    """The certificate, as a status has it. Its serial number is this request's, whoever signs it when."""
    wanted = request.spec.expiration_seconds
    life = ca.longest if wanted is None else min(max(float(wanted), SHORTEST), ca.longest)
    start = datetime.fromtimestamp(int(now - BACKDATED), UTC)
    end = min(datetime.fromtimestamp(int(now), UTC) + timedelta(seconds=life), ca.certificate.not_valid_after_utc)
    digest = hashlib.sha256(request.metadata.uid.encode() + (request.spec.request or b"")).digest()
    builder = (
        x509.CertificateBuilder(ca.certificate.subject, asked.subject, asked.public_key())
        .serial_number(int.from_bytes(digest[:16]) >> 1 or 1)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if keys := {_KEY_USAGES[usage] for usage in request.spec.usages if usage in _KEY_USAGES}:
        builder = builder.add_extension(_key_usage(keys), critical=True)
    if extended := [_EXTENDED[usage] for usage in request.spec.usages if usage in _EXTENDED]:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.certificate.public_key())  # type: ignore[arg-type]
    builder = builder.add_extension(identifier, critical=False)
    names = _alternative_names(asked)
    if names is not None:
        builder = builder.add_extension(names.value, critical=names.critical)
    pem = builder.sign(ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return base64.b64encode(pem).decode()


def _key_usage(names: set[str]) -> x509.KeyUsage:
    every = (*dict.fromkeys(_KEY_USAGES.values()), "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in names for name in every})
