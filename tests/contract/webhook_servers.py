"""Real HTTPS webhooks for the admission tests: certificates of a CA of their own, one handler, what was asked."""

import asyncio
import base64
import datetime as dt
import json
import ssl
import tempfile
from contextlib import asynccontextmanager
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _certificate(name, key, issuer, issuer_key, *, is_ca, names=()):
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if names:
        alternatives = [x509.IPAddress(ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _pem(*things):
    made = b""
    for thing in things:
        if isinstance(thing, x509.Certificate):
            made += thing.public_bytes(serialization.Encoding.PEM)
        else:
            made += thing.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
    return made


@cache
def authority():
    """A CA in base64 (caBundle), and a server's TLS for 127.0.0.1 and the service names the tests use."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("webhooks", ca_key, None, ca_key, is_ca=True)
    names = ("127.0.0.1", "localhost", "hook.default.svc")
    served = _certificate("server", key, ca.subject, ca_key, is_ca=False, names=names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "server.pem"
        path.write_bytes(_pem(key, served))
        context.load_cert_chain(path)
    return base64.b64encode(_pem(ca)).decode(), context


class Webhook:
    """One HTTPS server. `answer` is called with each AdmissionReview's request; `asked` holds them all."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []
        self.paths = []
        self.connections = 0
        self.port = 0
        self.hang_up = False

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def config(self, path="/", **more):
        return {"url": self.url + path, "caBundle": authority()[0], **more}

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while line := await reader.readline():
                if self.hang_up:
                    self.hang_up = False
                    return
                self.paths.append(line.split()[1].decode())
                length = 0
                while (header := await reader.readline()).strip():
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                body = json.loads(await reader.readexactly(length))
                self.asked.append(body["request"])
                status, payload = await self._answer(body)
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(payload), payload))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the API server has let go of the connection: what was asked whole is in `asked`
        finally:
            writer.close()

    async def _answer(self, body):
        said = self.answer(body["request"])
        if asyncio.iscoroutine(said):
            said = await said
        if isinstance(said, tuple):
            return said[0], said[1].encode()
        if "raw" in said:
            return 200, json.dumps(said["raw"]).encode()
        response = {"uid": body["request"]["uid"], **said}
        return 200, json.dumps({"kind": body["kind"], "apiVersion": body["apiVersion"], "response": response}).encode()


@asynccontextmanager
async def webhook(answer, host="127.0.0.1"):
    made = Webhook(answer)
    server = await asyncio.start_server(made._serve, host, 0, ssl=authority()[1])
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def allow(_request=None):
    return {"allowed": True}


def deny(message):
    return lambda _request: {"allowed": False, "status": {"message": message}}


def patch(*operations):
    """An answer that patches."""
    data = base64.b64encode(json.dumps(list(operations)).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": data}


def rule(*resources, operations=("CREATE", "UPDATE"), groups=("",), versions=("v1",), **more):
    return {
        "operations": list(operations),
        "apiGroups": list(groups),
        "apiVersions": list(versions),
        "resources": list(resources),
        **more,
    }


def hook(name, server, *rules, path="/", **more):
    return {
        "name": name,
        "clientConfig": server.config(path) if isinstance(server, Webhook) else server,
        "rules": list(rules),
        "sideEffects": "None",
        "admissionReviewVersions": ["v1", "v1beta1"],
        **more,
    }
