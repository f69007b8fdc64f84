"""Watches over a WebSocket, by HTTPS: a message an event, and the closing handshake at the end."""

import ssl

import msgspec
import pytest

from apiserver import protobuf
from apiserver.websocket_watch import events_of
from serving.dialer import Target, dial_websocket
from tests.contract.https_server import https_server

JSON, PROTOBUF = "application/json", "application/vnd.kubernetes.protobuf"
WATCH = "/api/v1/namespaces?watch=1&timeoutSeconds=1&fieldSelector=metadata.name="


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("websocket")
    with https_server(folder) as found:
        tls = ssl.create_default_context(cafile=found.pki.ca)
        tls.load_cert_chain(*found.pki.issue("admin", "system:masters"))
        yield lambda accept: Target(f"https://127.0.0.1:{found.port}", tls, (("accept", accept),))


async def messages(target, path):
    """Every message until the server closes, as (is it text, its bytes)."""
    socket, found, data = await dial_websocket(target, path, []), [], b""
    while (part := await socket.receive()) is not None:
        data = part.data if part.first else data + part.data
        if part.last:
            found.append((part.text, data))
    return found


async def test_events_in_json_are_text(server):
    ((is_text, data),) = await messages(server(JSON), f"{WATCH}default")
    event = msgspec.json.decode(data)
    assert is_text
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "default")


async def test_events_in_protobuf_are_binary(server):
    ((is_text, data),) = await messages(server(PROTOBUF), f"{WATCH}default")
    assert not is_text
    assert data.startswith(b"\n\x05ADDED\x12")


async def test_a_watch_that_sees_nothing_ends_all_the_same(server):
    assert await messages(server(JSON), f"{WATCH}nobody") == []


def test_one_send_holds_several_events():
    frames = [protobuf.watch_frame("ADDED", b"k8s\0a"), protobuf.watch_frame("DELETED", b"k8s\0bb")]
    assert list(events_of(b"".join(frames), PROTOBUF)) == [frame[4:] for frame in frames]
    assert list(events_of(b"{1}\n{2}\n", JSON)) == [b"{1}\n", b"{2}\n"]
