"""CertificateSigningRequests: who asks is recorded, what was asked never changes.

Source: registry/certificates, its validation.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence

from cryptography import x509

from apimachinery import names, times
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, duplicate, forbidden, invalid, one_of, required, too_long, unique
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Part, Strategy, WriteContext, metadata_fields, only_status

_BY_SERVER = ("username", "uid", "groups", "extra")
_LONGEST_DOMAIN, _LONGEST_LABEL = 253, 63
_LEGACY = "kubernetes.io/legacy-unknown"
_VERDICTS = ("Approved", "Denied", "Failed")
_USAGES = frozenset(
    (
        "signing", "digital signature", "content commitment", "key encipherment", "key agreement", "data encipherment",
        "cert sign", "crl sign", "encipher only", "decipher only", "any", "server auth", "client auth", "code signing",
        "email protection", "s/mime", "ipsec end system", "ipsec tunnel", "ipsec user", "timestamping",
        "ocsp signing", "microsoft sgc", "netscape sgc",
    )
)  # fmt: skip


def prepare(new: Json, old: Json | None) -> Json:
    """The spec of a request is for life; its requester is written by `stamp`, never by the client."""
    if old is None:
        for name in _BY_SERVER:
            new.get("spec", {}).pop(name, None)
        new["status"] = {}
        return new
    new["spec"] = old["spec"]
    new["status"] = old.get("status", {})
    return new


def stamp(new: Json, old: Json | None, context: WriteContext) -> Json:
    """The requester on a create; the times of new conditions on an approval."""
    if old is None:
        user = context.user
        spec = new.setdefault("spec", {})
        spec["username"] = user.name
        if user.uid:
            spec["uid"] = user.uid
        spec["groups"] = list(user.groups)
        if user.extra:
            spec["extra"] = {name: list(values) for name, values in user.extra.items()}
        return new
    before = {c.get("type"): c for c in (old.get("status") or {}).get("conditions") or ()}
    for condition in (new.get("status") or {}).get("conditions") or ():
        _stamp_condition(condition, before.get(condition.get("type")), times.rfc3339(context.now))
    return new


def _stamp_condition(condition: Json, before: Json | None, now: str) -> None:
    if not condition.get("lastUpdateTime"):
        condition["lastUpdateTime"] = now
    if not condition.get("lastTransitionTime"):
        unchanged = before is not None and before.get("status") == condition.get("status")
        condition["lastTransitionTime"] = before.get("lastTransitionTime", now) if before and unchanged else now


def check(new: Json, old: Json | None) -> list[FieldError]:
    was = (old or {}).get("spec") or {}
    problems = [*_check(new.get("spec") or {}, is_legacy=was.get("signerName") == _LEGACY)]
    if old is not None:
        problems += _conditions_stay(new, old)
    return problems


def _check(spec: Json, *, is_legacy: bool) -> Problems:
    problem = _request_problem(spec.get("request", ""))
    if problem:
        yield invalid("spec.request", spec.get("request"), problem)
    usages = spec.get("usages") or []
    if not usages:
        yield required("spec.usages")
    for i, usage in enumerate(usages):
        if usage not in _USAGES:
            yield not_supported(f"spec.usages[{i}]", usage, sorted(_USAGES))
    yield from unique("spec.usages", usages)
    signer = spec.get("signerName", "")
    if signer == _LEGACY and not is_legacy:
        yield invalid("spec.signerName", signer, "the legacy signerName is not allowed via this API version")
    else:
        yield from _signer("spec.signerName", signer)
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < 600:
        yield invalid(
            "spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)"
        )


def _signer(path: str, name: str) -> Problems:
    """`domain/name`: a domain of two labels or more, a name of dotted parts (ValidateSignerName)."""
    if not name:
        yield required(path)
        return
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        yield invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")
        return
    if len(domain) > _LONGEST_DOMAIN:
        yield too_long(path, _LONGEST_DOMAIN)
    labels = domain.split(".")
    yield from _first_wrong(path, domain, labels, names.dns_label)
    if len(labels) < 2:
        yield invalid(path, domain, "should be a domain with at least two segments separated by dots")
    yield from _first_wrong(path, rest, rest.split("."), names.dns_subdomain)
    longest = _LONGEST_DOMAIN + 1 + _LONGEST_DOMAIN + 1 + _LONGEST_LABEL
    if len(name) > longest:
        yield too_long(path, longest)


def _first_wrong(path: str, whole: str, parts: Sequence[str], rule: Callable[[str], list[str]]) -> Problems:
    """What is wrong with the first part that is."""
    for part in parts:
        if messages := rule(part):
            for message in messages:
                yield invalid(path, whole, f'validating label "{part}": {message}')
            return


def _request_problem(text: str | None) -> str:
    try:
        pem = base64.b64decode(text or "", validate=True)
    except binascii.Error:
        return "PEM block type must be CERTIFICATE REQUEST"
    if b"-----BEGIN CERTIFICATE REQUEST-----" not in pem:
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        request = x509.load_pem_x509_csr(pem)
    except ValueError as error:
        return str(error)
    return "" if request.is_signature_valid else "x509: signature is not valid"


def _conditions_stay(new: Json, old: Json) -> Problems:
    """Verdicts are never taken back."""
    for verdict in _VERDICTS:
        if len(_of_type(new, verdict)) < len(_of_type(old, verdict)):
            yield forbidden("status.conditions", f'updates may not remove a condition of type "{verdict}"')


def _of_type(tree: Json, kind: str) -> list[Json]:
    conditions: list[Json] = (tree.get("status") or {}).get("conditions") or []
    return [condition for condition in conditions if condition.get("type", "") == kind]


def _conditions(new: Json) -> Problems:
    seen: list[str] = []
    for i, condition in enumerate((new.get("status") or {}).get("conditions") or ()):
        here, kind = f"status.conditions[{i}]", condition.get("type", "")
        if not kind:
            yield required(f"{here}.type")
        allowed = ("True",) if kind in _VERDICTS else ("False", "True", "Unknown")
        yield from one_of(f"{here}.status", condition.get("status", ""), allowed)
        if _OPPOSITE.get(kind) in seen:
            yield invalid("status.conditions", kind, "Approved and Denied conditions are mutually exclusive")
        if kind in seen:
            yield duplicate(f"{here}.type", kind)
        seen.append(kind)


_OPPOSITE = {"Approved": "Denied", "Denied": "Approved"}


def _prepare_approval(new: Json, old: Json | None) -> Json:
    """An approver changes conditions, never a certificate."""
    kept = only_status(new, old)
    if old is None:
        return kept
    certificate = (old.get("status") or {}).get("certificate")
    kept.setdefault("status", {}).pop("certificate", None)
    if certificate:
        kept["status"]["certificate"] = certificate
    return kept


def check_approval(new: Json, old: Json | None) -> list[FieldError]:
    """Who approves writes verdicts."""
    return [*_conditions(new), *(_conditions_stay(new, old) if old is not None else ())]


def check_status(new: Json, old: Json | None) -> list[FieldError]:
    """Who signs writes a certificate, once, and `Failed`."""
    return [*_conditions(new), *_signed(new), *(_signing(new, old) if old is not None else ())]


def _signed(new: Json) -> Problems:
    if why := _certificate_problem((new.get("status") or {}).get("certificate") or ""):
        yield invalid("status.certificate", "<certificate data>", why)


def _certificate_problem(text: str) -> str:
    if not text:
        return ""
    try:
        pem = base64.b64decode(text)
        kinds = re.findall(rb"-----BEGIN ([^-]*)-----", pem)
        if not kinds:
            return "must contain at least one CERTIFICATE PEM block"
        if others := [kind.decode(errors="replace") for kind in kinds if kind != b"CERTIFICATE"]:
            return f'only CERTIFICATE PEM blocks are allowed, found "{others[0]}"'
        x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        return str(error)
    return ""


def _signing(new: Json, old: Json) -> Problems:
    yield from _conditions_stay(new, old)
    for verdict in _VERDICTS[:2]:
        now, was = _of_type(new, verdict), _of_type(old, verdict)
        if len(now) > len(was):
            yield forbidden("status.conditions", f'updates may not add a condition of type "{verdict}"')
        elif len(now) == len(was) and not same(now, was):
            yield forbidden("status.conditions", f'updates may not modify a condition of type "{verdict}"')
    certificate, before = ((tree.get("status") or {}).get("certificate") for tree in (new, old))
    if before and not same(certificate, before):
        yield forbidden("status.certificate", "updates may not modify existing certificate content")


def fields(tree: Json) -> Mapping[str, str]:
    return {**metadata_fields(tree), "spec.signerName": (tree.get("spec") or {}).get("signerName", "")}


CERTIFICATESIGNINGREQUESTS = Strategy(
    prepare=prepare,
    stamp=stamp,
    check=check,
    prepare_status=only_status,
    check_status=check_status,
    parts={"approval": Part(_prepare_approval, check_approval)},
    fields=fields,
    field_labels=("metadata.name", "spec.signerName"),
    name=names.path_segment_name,
)
