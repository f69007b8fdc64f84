"""WebSocket clients before kubelets that speak SPDY alone, as upstream's do: one protocol turned into the other.

ApiError or OSError is raised while nothing has been sent to the client. Source: apiserver/pkg/util/proxy
(streamtranslator.go, streamtunnel.go).
"""

import asyncio

from serving.channels import Channels, Wanted, negotiate, offered
from serving.dialer import Target, ask
from serving.https import Upgrade
from serving.portforward import PROTOCOL, TUNNEL
from serving.raw import splice
from serving.remote import Remote, remote_command
from serving.remotecommand import open_channels
from serving.websocket import Tunnel
from serving.websocket_channels import PROTOCOLS, accept_websocket


async def translate_command(upgrade: Upgrade, target: Target, path: str, wanted: Wanted) -> None:
    """Exec and attach: the client's WebSocket channels to SPDY streams of the kubelet."""
    negotiate(offered(upgrade, b"sec-websocket-protocol"), PROTOCOLS)
    try:
        async with (
            remote_command(target, path, wanted, spdy=True) as remote,
            open_channels(upgrade, wanted) as channels,
        ):
            await _carry(channels, remote, wanted)
    except* (ConnectionError, TimeoutError):
        pass  # one of the ends has gone


async def _carry(channels: Channels, remote: Remote, wanted: Wanted) -> None:
    async with asyncio.TaskGroup() as tasks:
        result = tasks.create_task(_outputs(channels, remote))
        leaving = tasks.create_task(channels.gone())
        helpers = [leaving]
        if wanted.stdin:
            helpers.append(tasks.create_task(_stdin(channels, remote)))
        if wanted.tty:
            helpers.append(tasks.create_task(_sizes(channels, remote)))
        await asyncio.wait((result, leaving), return_when=asyncio.FIRST_COMPLETED)
        for task in (result, *helpers):
            task.cancel()
    if result.done() and not result.cancelled():
        await channels.close(await remote.status())


async def _outputs(channels: Channels, remote: Remote) -> None:
    while (piece := await remote.read()) is not None:
        await channels.write(*piece)
    await remote.status()


async def _stdin(channels: Channels, remote: Remote) -> None:
    try:
        while data := await channels.read_stdin():
            await remote.write_stdin(data)
        await remote.close_stdin()
    except ConnectionError:
        while await channels.read_stdin():
            pass  # the process reads no more; the other channels go on


async def _sizes(channels: Channels, remote: Remote) -> None:
    while (size := await channels.resized()) is not None:
        await remote.resize(*size)


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
