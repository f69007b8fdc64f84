"""WebSocket clients before kubelets that speak SPDY alone, as upstream's do: one protocol turned into the other.

ApiError or OSError is raised while nothing has been sent to the client. Source: apiserver/pkg/util/proxy
(streamtranslator.go, streamtunnel.go).
"""

import structlog

from serving.channels import Wanted, negotiate, offered
from serving.dialer import Target, ask
from serving.https import Upgrade
from serving.portforward import PROTOCOL, TUNNEL
from serving.raw import splice
from serving.remote import remote_command
from serving.remotecommand import carry, open_channels
from serving.websocket import Tunnel
from serving.websocket_channels import PROTOCOLS, accept_websocket

log = structlog.get_logger("apiserver")


async def translate_command(upgrade: Upgrade, target: Target, path: str, wanted: Wanted) -> None:
    """Exec and attach: the client's WebSocket channels to SPDY streams of the kubelet."""
    negotiate(offered(upgrade, b"sec-websocket-protocol"), PROTOCOLS)
    try:
        async with (
            remote_command(target, path, wanted, spdy=True) as remote,
            open_channels(upgrade, wanted) as channels,
        ):
            status = await carry(channels, remote, wanted, remote.status)
            if status is not None:
                await channels.close(status)
    except* (ConnectionError, TimeoutError) as gone:
        log.info("a stream ended early", path=path.partition("?")[0], why=[str(error) for error in gone.exceptions])


async def translate_portforward(upgrade: Upgrade, target: Target, path: str) -> None:
    """Port-forward: the SPDY bytes inside the client's WebSocket messages, unwrapped."""
    headers = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", PROTOCOL)]
    answer = await ask(target, "POST", path, headers)
    if answer.code != 101:
        raise await answer.error()
    try:
        socket = await accept_websocket(upgrade, (TUNNEL,))
        await splice(Tunnel(socket), answer.raw)
    finally:
        answer.raw.abort()
