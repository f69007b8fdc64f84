"""One extension server: how it is reached, how it is trusted, how it is told who asks.

Our identity is the front proxy's client certificate; the user's travels in X-Remote-* headers, which count only beside
that certificate. Sources: kube-aggregator/pkg/apiserver/handler_proxy.go, client-go/transport (SetAuthProxyHeaders).
"""

import asyncio
import base64
import functools
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apimachinery.types import Json
from apiserver.request import User
from serving.asgi import Headers
from serving.dialer import Answer, Target, ask

#: What a header's name may hold without an escape (RFC 7230's token), but for the escape's own sign.
_TOKEN = frozenset("!#$&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
#: The largest document that is read of a server.
_DOCUMENT_LIMIT = 64 << 20
ASK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ProxyIdentity:
    """The files of the front proxy's client certificate; empty where there is none."""

    cert_file: str = ""
    key_file: str = ""

    def stamp(self) -> tuple[int, ...]:
        """Changes whenever one of the files does."""
        return tuple(Path(file).stat().st_mtime_ns for file in (self.cert_file, self.key_file) if file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What an APIService says of its server. `address` gives HOST:PORT, or raises Unresolved."""

    name: str  # of the APIService
    group: str
    version: str
    priority: tuple[int, int]
    service: tuple[str, str, int]  # namespace, name, port
    ca_bundle: str  # base64, as the object has it
    insecure: bool
    available: bool
    identity: ProxyIdentity
    address: Callable[[], str]

    def target(self, *, verified: bool = True) -> Target:
        """Where to connect. Raises Unresolved, and ssl.SSLError for a CA bundle that cannot be read.

        `verified=False` trusts any certificate: enough to see whether somebody answers.
        """
        namespace, name, _ = self.service
        bundle = None if self.insecure or not verified else self.ca_bundle
        context = _context(bundle, self.identity, self.identity.stamp())
        return Target(f"https://{self.address()}", tls=context, server_hostname=f"{name}.{namespace}.svc")

    async def get(self, path: str, accept: str, *, verified: bool = True, etag: str = "") -> tuple[Answer, bytes]:
        """Ask for a document as the aggregator itself. OSError (TimeoutError among them) when nobody answers."""
        headers = [("Accept", accept), ("User-Agent", "pykube-aggregator"), *identity_headers(AGGREGATOR)]
        headers += [("If-None-Match", etag)] if etag else []
        async with asyncio.timeout(ASK_SECONDS):
            answer = await ask(self.target(verified=verified), "GET", path, headers)
            return answer, await answer.body(_DOCUMENT_LIMIT)


#: As whom we ask for ourselves: as somebody who may see everything.
AGGREGATOR = User("system:kube-aggregator", ("system:masters",))


def identity_headers(user: User) -> Headers:
    """Who asks, for a server that trusts our certificate."""
    return [
        ("X-Remote-User", user.name),
        *([("X-Remote-Uid", user.uid)] if user.uid else []),
        *(("X-Remote-Group", group) for group in user.groups),
        *((f"X-Remote-Extra-{_escaped(key)}", value) for key, values in user.extra.items() for value in values),
    ]


def _escaped(key: str) -> str:
    return "".join(
        letter if letter in _TOKEN else "".join(f"%{byte:02X}" for byte in letter.encode()) for letter in key
    )


@functools.lru_cache(maxsize=64)
def _context(ca_bundle: str | None, identity: ProxyIdentity, _stamp: tuple[int, ...]) -> ssl.SSLContext:
    """TLS towards servers of one CA: "" for the system's, None for any. `_stamp` makes new files a new context."""
    if ca_bundle is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = ssl.create_default_context(cadata=base64.b64decode(ca_bundle).decode("latin-1") or None)
    context.set_alpn_protocols(["http/1.1"])
    if identity.cert_file:
        context.load_cert_chain(identity.cert_file, identity.key_file)
    return context


def remote_of(tree: Json, identity: ProxyIdentity, *, available: bool, address: Callable[[], str]) -> Remote:
    """The server of an APIService with a Service."""
    spec = tree["spec"]
    service, name = spec["service"], tree["metadata"]["name"]
    return Remote(
        name=name,
        group=spec.get("group", ""),
        version=spec["version"],
        priority=(spec.get("groupPriorityMinimum", 0), spec.get("versionPriority", 0)),
        service=(service["namespace"], service["name"], service.get("port", 443)),
        ca_bundle=spec.get("caBundle") or "",
        insecure=bool(spec.get("insecureSkipTLSVerify")),
        available=available,
        identity=identity,
        address=address,
    )
