"""`serving.https` on real sockets: certificates, upgrades, refusals, the end."""

import asyncio
import contextlib
import shutil
import ssl

import pytest
import uvloop
from cryptography import x509

from serving.asgi import reply_text
from serving.dialer import Target, ask, connect, dial_websocket
from serving.https import ServerTLS, serve
from serving.websocket_channels import accept_websocket
from tests.contract.streams_servers import Pki, in_thread


async def app(scope, receive, send):
    extensions = scope.get("extensions") or {}
    match scope["path"]:
        case "/who":
            der = extensions.get("tls", {}).get("client_cert")
            await reply_text(send, x509.load_der_x509_certificate(der).subject.rfc4514_string() if der else "nobody")
        case "/shout":
            stream = await extensions["upgrade"].accept([("X-Protocol", "loud")])
            while data := await stream.read():
                await stream.write(data.upper())
            await stream.close()
        case "/socket":
            socket = await accept_websocket(extensions["upgrade"], ("a", "b"))
            while (part := await socket.receive()) is not None:
                await socket.send(part.data, text=part.text)
            await socket.close()
        case "/hang":
            await asyncio.Event().wait()
        case _:
            await reply_text(send, str("upgrade" in extensions), 403)


@contextlib.asynccontextmanager
async def listening(tls=None):
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(app, host="127.0.0.1", port=0, tls=tls, ready=port.set_result, stop=stop, grace=0.2))
        try:
            yield await port
        finally:
            stop.set()


@pytest.fixture(params=["asyncio", "uvloop"])
def server(request):
    """Opens a server on the event loop in question; gives its port."""
    factory = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}[request.param]
    return lambda tls=None: in_thread(lambda: listening(tls), factory)


@pytest.fixture(params=["plain", "tls"])
def target(request, server, tmp_path):
    if request.param == "plain":
        with server() as port:
            yield Target(f"http://127.0.0.1:{port}")
        return
    pki = Pki(tmp_path)
    with server(ServerTLS(*pki.issue("server"), pki.ca)) as port:
        yield Target(f"https://127.0.0.1:{port}", ssl.create_default_context(cafile=pki.ca))


UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1")]


async def test_an_accepted_upgrade_hands_over_the_connection(target):
    answer = await ask(target, "POST", "/shout", UPGRADE)
    assert (answer.code, answer.header("x-protocol"), answer.header("upgrade")) == (101, "loud", "SPDY/3.1")
    await answer.raw.write(b"hello")
    assert await answer.raw.read() == b"HELLO"
    await answer.raw.close()


async def test_bytes_sent_before_the_answer_are_not_lost(target):
    raw = await connect(target)
    await raw.write(b"POST /shout HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nearly ")
    await raw.write(b"bird")
    received = b""
    while not received.endswith(b"BIRD"):
        received += await raw.read()
    assert received.endswith(b"\r\n\r\nEARLY BIRD")
    await raw.close()


async def test_a_refused_upgrade_is_an_ordinary_answer(target):
    answer = await ask(target, "POST", "/no", UPGRADE)
    assert (answer.code, answer.header("connection"), await answer.body()) == (403, "close", b"True")


async def test_a_slow_reader_slows_the_writer(target):
    answer = await ask(target, "POST", "/shout", UPGRADE)
    sent = 0

    async def send():
        nonlocal sent
        while True:  # nobody reads the echo: both directions fill up
            await answer.raw.write(b"x" * 65536)
            sent += 65536

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send(), 0.5)
    assert sent < 64 << 20
    answer.raw.abort()


async def test_websocket_messages_and_the_closing_handshake(target):
    socket = await dial_websocket(target, "/socket", ["z", "b"])
    assert socket.subprotocol == "b"
    await socket.send(b"x" * 300_000)
    received = b""
    while len(received) < 300_000:
        received += (await socket.receive()).data
    assert received == b"x" * 300_000
    await socket.close()
    assert socket.ended.is_set()


@pytest.mark.parametrize(
    ("subject", "seen"), [((), "nobody"), (("admin", "system:masters"), "O=system:masters,CN=admin")]
)
async def test_the_clients_certificate(server, tmp_path, subject, seen):
    pki = Pki(tmp_path)
    context = ssl.create_default_context(cafile=pki.ca)
    if subject:
        context.load_cert_chain(*pki.issue(*subject))
    with server(ServerTLS(*pki.issue("server"), pki.ca)) as port:
        answer = await ask(Target(f"https://127.0.0.1:{port}", context), "GET", "/who", ())
        assert await answer.body() == seen.encode()


async def test_a_certificate_of_another_ca_is_refused_in_the_handshake(server, tmp_path):
    (tmp_path / "theirs").mkdir()
    pki, theirs = Pki(tmp_path), Pki(tmp_path / "theirs")
    context = ssl.create_default_context(cafile=pki.ca)
    context.load_cert_chain(*theirs.issue("admin", "system:masters"))
    with server(ServerTLS(*pki.issue("server"), pki.ca)) as port, pytest.raises(OSError):
        await ask(Target(f"https://127.0.0.1:{port}", context), "GET", "/who", ())


async def test_changed_certificate_files_are_used_without_a_restart(server, tmp_path, monkeypatch):
    monkeypatch.setattr("serving.https.CERTIFICATE_CHECK", 1)
    pki = Pki(tmp_path)
    old, new = pki.issue("old"), pki.issue("new")
    files = str(tmp_path / "tls.crt"), str(tmp_path / "tls.key")

    def install(pair):
        for source, target in zip(pair, files, strict=True):
            shutil.copy(source, target)

    install(old)
    context = ssl.create_default_context(cafile=pki.ca)
    with server(ServerTLS(*files)) as port:

        async def subject():
            raw = await connect(Target(f"https://127.0.0.1:{port}", context))
            names = raw._transport.get_extra_info("peercert")["subject"]
            raw.abort()
            return names[0][0][1]

        assert await subject() == "old"
        install(new)
        async with asyncio.timeout(60):
            while await subject() != "new":
                await asyncio.sleep(0.1)


async def test_stopping_takes_no_longer_than_the_grace_although_answers_hang(server):
    with server() as port:
        raw = await connect(Target(f"http://127.0.0.1:{port}"))
        await raw.write(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        stream = (await ask(Target(f"http://127.0.0.1:{port}"), "POST", "/shout", UPGRADE)).raw
    # The server has ended, or `server` would have failed; what hung was cut off.
    async with asyncio.timeout(30):
        assert (await raw.read()).startswith(b"HTTP/1.1 500 ")
        assert await stream.read() == b""
    raw.abort()
    stream.abort()


async def test_a_taken_port_is_said_so(server):
    with server() as port, pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
        await serve(app, host="127.0.0.1", port=port, stop=asyncio.Event())


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_what_is_no_http_gets_400(server, raw):
    with server() as port:
        connection = await connect(Target(f"http://127.0.0.1:{port}"))
        await connection.write(raw)
        assert (await connection.read()).startswith(b"HTTP/1.1 400 ")
        connection.abort()
