"""Some thousands of requests as upstream answers them: tests/golden/NAME.json.gz, made by this file.

There are several sets of them: `requests` of one kind or one sort each, `sequences` that build upon one another, `devices`
and `core` with much that is wrong with the kinds of resource.k8s.io and of the core group, `groups` with what writes
made by chance have found of the others, `extensions` about definitions, policies, webhooks and pods' security, and
`serving` with odd ways to ask.

    PORT=17443 run.sh --disable-admission-plugins=ServiceAccount --service-cluster-ip-range=...     (/work/upstream has one)
    python -m tests.contract.upstream_requests record NAME https://127.0.0.1:17443 FOLDER-OF-PKI
    python -m tests.contract.upstream_requests compare NAME      what a server in this process answers differently
    python -m tests.contract.upstream_requests accept NAME       let NAME_differ.json be what differs now

What differs between any two servers is levelled before it is compared: uids, times, revisions, addresses, random names.
"""

import asyncio
import gzip
import hashlib
import json
import re
import ssl
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import structlog
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from apiserver import protobuf
from apiserver.app import Administrators, Options
from tests.contract import (
    asked_in_sequence,
    asked_of_core,
    asked_of_devices,
    asked_of_extensions,
    asked_of_groups,
    asked_of_kinds,
    asked_of_server,
    asked_of_serving,
)
from tests.contract.api_server import running
from tests.contract.asked_of_kinds import Ask

#: Requests that are answered otherwise on purpose, and why.
DELIBERATE = {
    ("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?labelSelector=c%3Dd&dryRun=All"): (
        "upstream's deletecollection of definitions leaves the objects of what they define in etcd, unreachable"
    ),
    **dict.fromkeys(
        ((method, f"/debug/{name}") for method in ("GET", "POST") for name in ("pprof", "flags")),
        "the profiler of Go's runtime and the flags of its log: there is no such runtime here",
    ),
}
#: The same, of one of several requests of a path (see `name_of`).
_NO_AGGREGATION = "no kube-controller-manager ran: the recorded server's role `view` was still empty"
DELIBERATE_NAMES = {
    "POST /apis/rbac.authorization.k8s.io/v1/namespaces/rights/rolebindings?dryRun=All aba5d3cfc1": _NO_AGGREGATION,
}
#: What upstream cannot encode it ends a watch for, with no event and no error; here the objects are shown one by one.
_LIST_OF_ONE = "as=PartialObjectMetadataList"
_FOLDER = Path(__file__).parents[1] / "golden"
SETS = {
    "requests": lambda: [*asked_of_kinds.every_kind(), *asked_of_server.everything()],
    "sequences": lambda: [*asked_in_sequence.everything()],
    "devices": lambda: [*asked_of_devices.everything()],
    "extensions": lambda: [*asked_of_extensions.everything()],
    "core": lambda: [*asked_of_core.everything()],
    "groups": lambda: [*asked_of_groups.everything()],
    "serving": lambda: [*asked_of_serving.everything()],
}
#: Of each answer, what no client acts on, or what only this machine knows.
_HEADERS = (
    "content-type",
    "warning",
    "allow",
    "retry-after",
    "x-content-type-options",
    "cache-control",
    "vary",
    "location",
    "www-authenticate",
)
_OF_THE_BUILD = (
    "gitVersion",
    "gitCommit",
    "gitTreeState",
    "buildDate",
    "goVersion",
    "compiler",
    "platform",
    "serverAddress",
)
#: No kube-controller-manager ran when this was recorded; type checking, its part there, is the API server's here.
_OF_CONTROLLERS = ("observedGeneration", "typeChecking")
AGENT = "compare/1"
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"20(?!24)\d\d-\d\d-\d\dT[\d:.]+Z")
_AGE = re.compile(r"<invalid>|(?:\d+[ydhms]){1,2}")
#: How long an answer may take: the slowest machine's bound, not a measure. A loaded one has needed ten seconds for some.
_LIMIT_SECONDS = 120


def _known_file(name):
    return _FOLDER / f"{name}_differ.json"


def _golden_file(name):
    return _FOLDER / f"{name}.json.gz"


class Known:
    """What earlier answers said, for the requests after them."""

    def __init__(self):
        self._values = {"uid": "none", "rv": "0", "continue": "none", "mark": "0"}

    def filled(self, text):
        for name, value in self._values.items():
            text = text.replace(f"${name}", value)
        return text

    def mark(self):
        self._values["mark"] = self._values["rv"]

    def learn(self, text):
        try:
            metadata = json.loads(text)["metadata"]
        except (ValueError, KeyError, TypeError):
            return
        for name, key in (("uid", "uid"), ("rv", "resourceVersion"), ("continue", "continue")):
            if metadata.get(key):
                self._values[name] = metadata[key]


async def answer(http, known, request):
    """[code, headers, body]. UNTIL asks again until something is there; MARK keeps the revision as `$mark`."""
    while (found := await _answer(http, known, request))[0] != 200 and request.method == "UNTIL":
        await asyncio.sleep(0.02)
    if request.method == "MARK":
        known.mark()
    return found


async def _answer(http, known, request):
    method = "GET" if request.method in ("WATCH", "UNTIL", "MARK") else request.method
    content = request.content()
    content = None if content is None else known.filled(content.decode()).encode()
    headers = {"user-agent": AGENT, **request.headers}
    async with http.stream(method, known.filled(request.path), headers=headers, content=content) as response:
        if request.method == "WATCH" and response.status_code == 200:
            body = await _first_lines(response, request.events)
        else:
            body = (await response.aread()).decode("utf-8", "surrogateescape")
    if request.method == "HEAD":
        body = ""  # what serves HTTP leaves it out, which is not between client and app in this process
    known.learn(body)
    shown = [[name, value] for name, value in sorted(response.headers.multi_items()) if name in _HEADERS]
    return [response.status_code, shown, readable(response, body)]


async def _first_lines(response, count):
    if response.headers.get("content-type") != "application/json":
        return ""
    lines = []
    if count:
        async for line in response.aiter_lines():
            lines.append(json.loads(line))
            if len(lines) == count:
                break
    return json.dumps(lines)


def readable(response, body):
    """The body as a tree where it is one."""
    type = response.headers.get("content-type", "")
    if type.startswith(asked_of_kinds.PROTOBUF):
        try:
            return protobuf.decode(body.encode("utf-8", "surrogateescape"))
        except ValueError:
            return "protobuf"
    if "version=0.0.4" in type:
        return _series(body)
    try:
        return yaml.load(body, yaml.CSafeLoader) if type.startswith(asked_of_kinds.YAML) else json.loads(body)
    except ValueError:
        return _lines(body) or body


def _lines(body):
    """The events of a watch that a GET began."""
    try:
        return [json.loads(line) for line in body.splitlines()]
    except ValueError:
        return []


def levelled(value, key=""):
    """The value without what is random or of the moment."""
    if isinstance(value, dict):
        value = _of_no_moment(value)
        if _is_unordered(value):
            value = {**value, "message": "", "causes": sorted(value["details"]["causes"], key=str), "details": {}}
        left_out = _OF_CONTROLLERS if "typeChecking" in value else _OF_THE_BUILD
        return {name: levelled(item, name) for name, item in value.items() if name not in left_out}
    if isinstance(value, list) and key in ("resourceRules", "nonResourceRules"):
        value = sorted(value, key=str)  # upstream's order is that of a map
    if key == "managedFields" and isinstance(value, list):
        value = [entry for entry in value if not isinstance(entry, dict) or entry.get("manager") != _OF_POLICIES]
        value.sort(key=_writer)  # of what a second has seen, who was first is known to nobody
    if isinstance(value, list):
        return [levelled(item, key) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if (
        key in ("resourceVersion", "nodePort", "port", "healthCheckNodePort", "continue", "token", "remainingItemCount")
        and value
        and str(value)[:1] != "x"
    ):
        return "SOME" if key != "port" else value
    if isinstance(value, str):
        if key == "cells" and _AGE.fullmatch(value):
            return "AGE"
        if key == "since":  # the day on which the server's cluster began to count the use of legacy tokens
            value = re.sub(r"^20\d\d-\d\d-\d\d$", "DAY", value)
        text = _TIME.sub("TIME", _UID.sub("UID", value))
        text = re.sub(r"10\.(9[6-9]|1[01]\d)\.\d+\.\d+", "SERVICE-IP", text)
        text = re.sub(r"resource version: \d+, current: \d+", "resource version", text)
        text = re.sub(r"hash=[0-9A-F]+", "hash", text)
        text = re.sub(r'scheme "[^"]*"', "scheme", text)
        text = re.sub(
            r'patch: Invalid value: "\{.*\}": |^Invalid value: "\{.*\}": ', "PATCH: ", text
        )  # keys in another order
        text = re.sub(r"X509SHA256=\w+", "X509SHA256", text)
        if key == "jwks_uri":
            text = re.sub(r"//[^/]*", "//HOST", text)  # this server has no address
        text = re.sub(r"(in record |[rR]esourceVersion(?: in object meta)?\W+)\(?\d+", r"\1N", text)
        return re.sub(r"\b(g-|gen-|x-|Bad_|x{58})[bcdfghjklmnpqrstvwxz2456789]{5}\b", r"\1RANDOM", text)
    return value


#: Who writes what upstream's kube-controller-manager writes, which did not run when the answers were recorded.
_OF_POLICIES = "validatingadmissionpolicy-status"
#: What follows upon a write in a moment: whether it has is known to nobody.
_NEXT = {
    ("Established", "Installing"): {"status": "True", "reason": "InitialNamesAccepted"},
    ("Terminating", "InstanceDeletionPending"): {
        "reason": "InstanceDeletionInProgress",
        "message": "CustomResource deletion is in progress",
    },
}
#: The authorities that a server was started with: the one that was recorded had some, the one in this process has none.
_OF_AUTHORITIES = "extension-apiserver-authentication"
_TERMINATING = 'k:{"type":"Terminating"}'


def _writer(entry):
    names = ("operation", "manager", "subresource", "apiVersion")
    return [str(entry.get(name, "")) for name in names] if isinstance(entry, dict) else [str(entry)]


def _of_no_moment(tree):
    """An object of an answer, whatever the server's own loops have come to meanwhile."""
    metadata = tree.get("metadata")
    if isinstance(metadata, dict) and metadata.get("name") == _OF_AUTHORITIES:
        return {"metadata": {"name": _OF_AUTHORITIES}}
    if step := _NEXT.get((str(tree.get("type")), str(tree.get("reason")))):
        return {**tree, **step}
    if _TERMINATING in tree:
        return {name: item for name, item in tree.items() if name != _TERMINATING}
    return tree


def _is_unordered(value):
    """Whether an error lists what upstream finds in the order of a map: conflicts of an apply, a custom object's fields."""
    details = value.get("details") if value.get("kind") == "Status" else None
    if not isinstance(details, dict) or len(details.get("causes") or ()) < 2:
        return False
    is_custom = details.get("group", "").endswith(".example.com")
    return is_custom or details["causes"][0].get("reason") == "FieldManagerConflict"


async def ask_all(http, requests):
    known = Known()
    answers = []
    for request in requests:
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                answers.append(await answer(http, known, request))
        except (TimeoutError, httpx.HTTPError) as error:
            sys.stderr.write(f"{request.method} {request.path} {str(request.body)[:100]}: {error!r}\n")
            answers.append([0, [], type(error).__name__])
    return answers


async def record(name, url, pki):
    context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    context.load_cert_chain(f"{pki}/admin.crt", f"{pki}/admin.key")
    async with httpx.AsyncClient(
        base_url=url, verify=context, timeout=70, headers={"accept": "application/json"}
    ) as http:
        answers = await ask_all(http, SETS[name]())
    rows = [[vars(request), answer] for request, answer in zip(SETS[name](), answers, strict=True)]
    _golden_file(name).write_bytes(gzip.compress(json.dumps(rows, separators=(",", ":")).encode(), 9, mtime=0))


def load(name):
    """The requests, and upstream's answers."""
    rows = json.loads(gzip.decompress(_golden_file(name).read_bytes()))
    return [Ask(**request) for request, _ in rows], [levelled(_parsed(answer)) for _, answer in rows]


def _parsed(answer):
    """An answer recorded as text, as it is read now."""
    code, headers, body = answer
    if isinstance(body, str) and body.startswith('{"type"'):
        body = _lines(body) or body
    elif isinstance(body, str) and body.startswith("# HELP"):
        body = _series(body)
    return [code, headers, body]


def _series(text):
    """Which series a page of metrics has. Their help is in our own words; what failed while a server started is luck."""
    names = {line if line.startswith("# TYPE") else line.rpartition(" ")[0] for line in text.splitlines()}
    return sorted(name for name in names if not name.startswith("# HELP") and 'status="error"' not in name)


class _Admin(Administrators):
    """The user that the certificate names with which upstream was asked."""

    def authenticate(self, request):
        user = super().authenticate(request)
        return replace(user, name="admin", extra={"authentication.kubernetes.io/credential-id": ("X509SHA256=0",)})


def _signing_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


async def ours(requests):
    options = Options(
        admission_disabled=("ServiceAccount",),
        signing_key=_signing_key(),
        issuer="https://kubernetes.default.svc.cluster.local",
    )
    async with running(options=options, authenticator=_Admin()) as server:
        server.http.headers["accept"] = "application/json"
        return await ask_all(server.http, requests)


async def differences(name):
    """Each difference: what was asked, where, theirs, ours."""
    requests, theirs = load(name)
    for row in unequal(requests, theirs, await ours(requests)):
        yield row


def unequal(requests, theirs, answers):
    """The same, of what a server has answered."""
    for request, expected, got in zip(requests, theirs, answers, strict=True):
        if request.path.partition("?")[0] == "/api/v1/componentstatuses":
            continue  # depends on what else runs on the machine
        if (request.method, request.path) in DELIBERATE or name_of(request) in DELIBERATE_NAMES:
            continue
        if request.method == "WATCH" and _LIST_OF_ONE in request.headers.get("accept", ""):
            continue
        if not expected[0]:
            continue  # upstream hung, and nobody knows what it would have said
        wanted = _as_mistake(expected) if (expected[0], got[0]) == (500, 400) else expected
        for where, a, b in unlike(wanted, levelled(got)):
            yield request, where, a, b


def _as_mistake(answer):
    """A 500 of upstream as it is told here: bad input is the client's mistake (docs/decisions/0063)."""
    _, headers, body = answer
    return [400, headers, {**body, "code": 400} if isinstance(body, dict) else body]


def unlike(theirs, found, where=""):
    if type(theirs) is type(found) is dict:
        for key in dict.fromkeys((*theirs, *found)):
            if key not in theirs or key not in found:
                yield f"{where}.{key}", theirs.get(key, "-"), found.get(key, "-")
            else:
                yield from unlike(theirs[key], found[key], f"{where}.{key}")
    elif type(theirs) is type(found) is list and len(theirs) == len(found):
        for number, (a, b) in enumerate(zip(theirs, found, strict=True)):
            yield from unlike(a, b, f"{where}[{number}]")
    elif theirs != found:
        yield where, theirs, found


def name_of(request):
    """A request in one line, short enough for a list of them."""
    digest = hashlib.sha256(json.dumps([request.headers, request.body]).encode()).hexdigest()[:10]
    return f"{request.method} {request.path} {digest}"


def known(name):
    """The requests that are answered differently, and are known to be."""
    return json.loads(_known_file(name).read_text())


async def accept(name):
    """Let the list of what differs be what differs now."""
    names = sorted({name_of(request) async for request, *_ in differences(name)})
    _known_file(name).write_text(json.dumps(names, indent=0) + "\n")


def show(request, where, a, b):
    headers = {k: v for k, v in request.headers.items() if (k, v) != ("content-type", "application/json")}
    body = "" if request.body is None else str(request.body)[:120]
    return f"{request.method} {request.path} {headers or ''} {body}\n   {where}\n      theirs {str(a)[:400]}\n      ours   {str(b)[:400]}"


async def compare(name):
    structlog.configure(  # tracebacks without the values of a whole server
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    async for found in differences(name):
        sys.stdout.write(show(*found) + "\n")


if __name__ == "__main__":
    asyncio.run({"record": record, "compare": compare, "accept": accept}[sys.argv[1]](*sys.argv[2:]))
