"""The HTTP transport against a real socket with a scripted server behind it."""

import asyncio
import contextlib
import datetime as dt
import ssl
from contextlib import asynccontextmanager

import httpx
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from client.transport import HIGH_WATER, HttpTransport

SILENCE = object()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def serving(*script, limit=64):
    """A server that answers the n-th request with the n-th text (None: closes); gives the client and what it saw."""
    answers, seen, open_now = list(script), [], set()

    async def handle(reader, writer):
        seen.append("connection")
        open_now.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    (int(v.split(b":")[1]) for v in head.split(b"\r\n") if v.lower().startswith(b"content-length")), 0
                )
                seen.append((head.split(b"\r\n")[0].decode(), await reader.readexactly(length)))
                for part in answers.pop(0) or ():
                    if part is None:
                        return
                    if part is SILENCE:
                        await reader.read()  # until the client leaves
                    else:
                        writer.write(part)
                        await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            seen.append("left")
        finally:
            writer.close()
            open_now.remove(writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with (
        server,
        httpx.AsyncClient(transport=HttpTransport(None, limit=limit), base_url=url, timeout=60) as client,
    ):
        yield client, seen
    async with asyncio.timeout(30):
        while open_now:  # the client has closed all its connections
            await asyncio.sleep(0)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_tls_on_every_loop(loop_factory, tmp_path):
    certificate, context = self_signed(tmp_path)

    async def ask():
        async def handle(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)

        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
        tls = ssl.create_default_context(cadata=certificate)
        async with server, httpx.AsyncClient(transport=HttpTransport(tls, server_name="named"), timeout=60) as client:
            answer = await client.get(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        with contextlib.suppress(AttributeError):
            server.close_clients()
        return answer.text

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(ask()) == "ok"


def self_signed(folder):
    """A certificate for the name `named`, and a server's TLS context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "named")])
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + dt.timedelta(days=20000))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("named")]), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(pem + key.private_bytes(*formats))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return pem.decode(), context


async def test_connections_are_used_again():
    async with serving([OK], [OK]) as (client, seen):
        for _ in range(2):
            assert (await client.post("/x?a=b", content=b"body")).text == "ok"
        assert seen == ["connection", ("POST /x?a=b HTTP/1.1", b"body"), ("POST /x?a=b HTTP/1.1", b"body")]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\no", b"k\r\n0\r\n\r\n"], id="chunked"),
        pytest.param([b"HTTP/1.1 200 OK\r\n\r\no", b"k", None], id="until the connection closes"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", None], id="close announced"
        ),
        pytest.param([b"HT", b"TP/1.1 200 OK\r\nContent-Le", b"ngth: 2\r\n\r\no", b"k"], id="in pieces"),
    ],
)
async def test_every_framing_is_understood(answer):
    async with serving(answer, [OK]) as (client, _):
        assert [(await client.get("/")).text for _ in range(2)] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param([None], httpx.RemoteProtocolError, id="closed without an answer"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", None], httpx.RemoteProtocolError, id="cut short"
        ),
        pytest.param([b"SSH-2.0-OpenSSH\r\n\r\n"], httpx.RemoteProtocolError, id="not HTTP"),
        pytest.param([SILENCE], httpx.ReadTimeout, id="silence"),
    ],
)
async def test_what_goes_wrong_is_httpxs_error_and_the_next_request_goes_through(answer, error):
    async with serving(answer, [OK]) as (client, _):
        with pytest.raises(error):
            await client.get("/", timeout=0.1 if error is httpx.ReadTimeout else 60)
        assert (await client.get("/")).text == "ok"


async def test_nobody_there():
    async with httpx.AsyncClient(transport=HttpTransport(None), timeout=60) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:1/")


async def test_a_stream_that_is_left_closes_its_connection_and_frees_its_place():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    async with serving([head, SILENCE], [OK], limit=1) as (client, _):
        async with client.stream("GET", "/") as response:
            async for data in response.aiter_bytes():
                assert data == b"a"
                break
        assert (await asyncio.wait_for(client.get("/"), 60)).text == "ok"


async def test_a_request_that_is_cancelled_frees_its_place():
    async with serving([SILENCE], [OK], limit=1) as (client, seen):
        first = asyncio.create_task(client.get("/"))
        async with asyncio.timeout(30):
            while len(seen) < 2:  # the connection, and the request over it
                await asyncio.sleep(0)
        first.cancel()
        assert (await asyncio.wait_for(client.get("/"), 30)).text == "ok"


async def test_a_large_body_does_not_pile_up_before_its_reader():
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n" + b"x" * 8_000_000
    async with serving([big]) as (client, _):
        async with client.stream("GET", "/") as response:
            connection = response.stream._stream._connection
            async with asyncio.timeout(30):
                while not connection._is_paused:
                    await asyncio.sleep(0)
            assert connection._buffered < 2 * HIGH_WATER
            total = sum([len(data) async for data in response.aiter_bytes()])
        assert total == 8_000_000
