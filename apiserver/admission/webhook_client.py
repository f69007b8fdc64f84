"""The calls to webhooks: HTTPS with the webhook's own CA, connections kept, and failures in Go's words.

A service is reached at one of its endpoints, under the name its certificate must have (`name.namespace.svc`).
Source: apiserver/pkg/util/webhook/client.go, client-go/rest/request.go for what an HTTP error reads like.
"""

import asyncio
import ssl
from base64 import b64decode
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from apimachinery.errors import ApiError
from apimachinery.types import Json
from client.metrics import POOL_CALLS, POOLS
from client.transport import HttpTransport
from serving.raw import reason

#: From namespace, name and port of a service to an address. Raises ApiError.
Resolve = Callable[[str, str, int], tuple[str, int]]

#: How many servers' connections are kept (upstream's defaultCacheSize).
_KEPT = 200
_LONGEST_ANSWER = 16 * 1024 * 1024


class Unreachable(Exception):
    """The webhook could not be asked; the text is what a Go client would say, `code` what it answered, if it did."""

    def __init__(self, why: str, code: int = 503) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to connect, under which name, and whom to trust."""

    host: str
    port: int
    server_name: str
    authority: str  #: PEM in base64; empty for the system's


class WebhookClient:
    """Asks webhooks. Connections are kept by place."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._transports: OrderedDict[_Place, HttpTransport] = OrderedDict()

    async def ask(self, config: Json, body: Json, seconds: int) -> Any:
        """The decoded answer to a POST. Raises Unreachable."""
        url, shown = _url(config, seconds)
        try:
            async with asyncio.timeout(seconds):
                status, content_type, answer = await self._post(config, url, msgspec.json.encode(body))
        except TimeoutError:
            raise Unreachable(f'Post "{shown}": context deadline exceeded') from None
        except (httpx.HTTPError, OSError) as error:
            raise Unreachable(f'Post "{shown}": {_go_text(error, url)}') from None
        except ApiError as error:  # of the resolver
            raise Unreachable(f'Post "{shown}": {error.message}') from None
        if not 200 <= status < 300:
            raise Unreachable(_http_text(status, answer), status)
        if not answer:
            told = f"status code: {status} and content type: {content_type or 'application/json'}"
            raise Unreachable(f"0-length response with {told}")
        try:
            return msgspec.json.decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return answer.decode(errors="replace")  # for upstream it is YAML then, and most texts are a string in it

    async def _post(self, config: Json, url: httpx.URL, body: bytes) -> tuple[int, str, bytes]:
        place = self._place(config, url)
        headers = {
            "content-type": "application/json",
            "accept": "application/json, */*",
            "user-agent": "kube-apiserver",
        }
        headers["host"] = url.netloc.decode()
        target = url.copy_with(host=place.host, port=place.port)
        request = httpx.Request("POST", target, content=body, headers=headers)
        used = place in self._transports
        try:
            response = await self._transport(place).handle_async_request(request)
        except httpx.RemoteProtocolError:
            if not used:
                raise
            response = await self._transport(place).handle_async_request(request)  # an idle connection was just closed
        try:
            chunks: list[bytes] = []
            assert isinstance(response.stream, httpx.AsyncByteStream)
            async for chunk in response.stream:
                chunks.append(chunk)
                if sum(map(len, chunks)) > _LONGEST_ANSWER:
                    raise OSError("http: response body too large")
        finally:
            await response.aclose()
        return response.status_code, response.headers.get("content-type", ""), b"".join(chunks)

    def _place(self, config: Json, url: httpx.URL) -> _Place:
        service, authority = config.get("service"), config.get("caBundle") or ""
        port = url.port or 443
        if service is None:
            return _Place(url.host, port, url.host, authority)
        host, port = self._resolve(service["namespace"], service["name"], port)
        return _Place(host, port, url.host, authority)

    def _transport(self, place: _Place) -> HttpTransport:
        found = self._transports.pop(place, None)
        POOL_CALLS.labels("hit" if found is not None else "miss").inc()
        if found is None:
            found = HttpTransport(_context(place.authority), server_name=place.server_name, limit=None)
        self._transports[place] = found
        if len(self._transports) > _KEPT:
            self._transports.popitem(last=False)
        POOLS.set(len(self._transports))
        return found

    async def aclose(self) -> None:
        """Close what is idle."""
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()


def _url(config: Json, seconds: int) -> tuple[httpx.URL, str]:
    """The URL to ask, and how errors show it."""
    service = config.get("service")
    if service is None:
        text = str(config.get("url") or "")
    else:
        path = (service.get("path") or "").lstrip("/")
        text = f"https://{service['name']}.{service['namespace']}.svc:{service.get('port') or 443}/{path}"
    shown = f"{text}?timeout={seconds}s"
    try:
        return httpx.URL(shown), shown
    except httpx.InvalidURL as error:
        raise Unreachable(f'Post "{shown}": {error}') from None


def _context(authority: str) -> ssl.SSLContext:
    try:
        pem = b64decode(authority).decode() if authority else None
        context = ssl.create_default_context(cadata=pem)
    except (Base64Error, UnicodeDecodeError, ssl.SSLError):
        raise OSError("unable to load root certificates: unable to parse bytes as PEM block") from None
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # Go trusts whatever certificate it is given
    return context


_CERTIFICATE = {
    10: "x509: certificate has expired or is not yet valid",
    9: "x509: certificate has expired or is not yet valid",
    62: "x509: certificate is not valid for the requested name",
    64: "x509: certificate is not valid for the requested address",
}


def _go_text(error: Exception, url: httpx.URL) -> str:
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        said = _CERTIFICATE.get(cause.verify_code, "x509: certificate signed by unknown authority")
        return f"tls: failed to verify certificate: {said}"
    if isinstance(cause, ssl.SSLError):
        if cause.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
            return "http: server gave HTTP response to HTTPS client"
        return f"remote error: tls: {(cause.reason or str(cause)).lower().replace('_', ' ')}"
    if isinstance(error, httpx.ConnectError) and isinstance(cause, OSError):
        if cause.errno is None or cause.errno < 0:
            return f"dial tcp: lookup {url.host}: no such host"
        return f"dial tcp {url.host}:{url.port or 443}: connect: {reason(cause)}"
    if isinstance(error, httpx.RemoteProtocolError):
        return "EOF"
    return str(error)


def _http_text(status: int, body: bytes) -> str:
    """What client-go makes of an HTTP error: the Status that was sent, or a sentence for the code."""
    try:
        tree = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        tree = None
    if isinstance(tree, dict) and tree.get("kind") == "Status" and tree.get("message"):
        return str(tree["message"])
    known = _SENTENCES.get(status)
    if known:
        return known
    if status >= 500:
        shown = msgspec.json.encode(body.decode("utf-8", "replace").strip() or "unknown").decode()
        return f"an error on the server ({shown}) has prevented the request from succeeding"
    return f"the server responded with the status code {status} but did not return more information"


_SENTENCES = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    403: "forbidden",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    406: "the server was unable to respond with a content type that the client supports",
    409: "the server reported a conflict",
    413: "the request is too large",
    415: "the server was unable to process the media type",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}
