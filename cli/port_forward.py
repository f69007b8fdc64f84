"""`pykubectl port-forward`: ports of this machine lead to a pod's. Source: kubectl/pkg/cmd/portforward.

SPDY inside a WebSocket, as kubectl speaks since 1.31: a pair of streams for each connection.
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated

import typer

from apimachinery.kinds import PODS, Kind
from apimachinery.types import Json
from cli.exec import RunningTimeout
from cli.flags import UsageError
from cli.pods_of import find, pod_for
from cli.session import Session, run
from cli.streams import open_socket
from cli.usage import see
from serving.portforward import PROTOCOL, TUNNEL
from serving.spdy_session import SpdySession, SpdyStream
from serving.websocket import Tunnel


def port_forward(
    words: Annotated[list[str] | None, typer.Argument(help="TYPE/NAME [LOCAL:]REMOTE ...")] = None,
    address: Annotated[str, typer.Option(help="Addresses to listen on, several with commas.")] = "localhost",
    pod_running_timeout: RunningTimeout = "1m0s",
) -> None:
    """Forward ports of this machine to a pod."""
    given = words or []
    if len(given) < 2:
        raise UsageError("TYPE/NAME and list of ports are required for port-forward", see("port-forward"))

    async def work(session: Session) -> None:
        kind, tree = await find(session, given[0])
        pod = await pod_for(session, given[0], pod_running_timeout)
        ports = [_pod_port(pair(text), kind, tree, pod) for text in given[1:]]
        phase = pod["status"].get("phase")
        if phase != "Running":
            raise UsageError(f"unable to forward port because pod is not running. Current status={phase}")
        await _forward(session, pod, ports, address.split(","))

    run(work)


def pair(text: str) -> tuple[str, str]:
    """(local, remote) of `8080`, `8080:80`, `:80`."""
    parts = text.split(":")
    if len(parts) > 2 or not parts[-1]:
        raise UsageError(f"invalid port format '{text}'")
    local, remote = (parts[0], parts[0]) if len(parts) == 1 else (parts[0] or "0", parts[1])
    if not local.isdigit() and len(parts) == 2:
        raise UsageError(f"error parsing local port '{local}': strconv.ParseUint: parsing \"{local}\": invalid syntax")
    return local, remote


def _pod_port(ports: tuple[str, str], kind: Kind, tree: Json, pod: Json) -> tuple[int, int]:
    """Local and remote numbers; a Service's port and names of ports become the pod's number."""
    local, remote = ports
    if kind.kind == "Service":
        rows = tree["spec"].get("ports") or []
        row = next((each for each in rows if remote in (str(each["port"]), each.get("name"))), None)
        if row is None:
            raise UsageError(f"Service {tree['metadata']['name']} does not have a service port {remote}")
        if tree["spec"].get("clusterIP") == "None":
            wanted = row["port"] if remote.isdigit() else row.get("targetPort", row["port"])
        else:
            wanted = row.get("targetPort", row["port"])
        number = wanted if isinstance(wanted, int) else _named_port(wanted, pod)
        return (row["port"] if not local.isdigit() else int(local)), number
    number = int(remote) if remote.isdigit() else _named_port(remote, pod)
    return (int(local) if local.isdigit() else number), number


def _named_port(name: str, pod: Json) -> int:
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            if port.get("name") == name:
                return int(port["containerPort"])
    raise UsageError(f"Pod '{pod['metadata']['name']}' does not have a named port '{name}'")


async def _forward(session: Session, pod: Json, ports: Sequence[tuple[int, int]], addresses: Sequence[str]) -> None:
    path = PODS.path(pod["metadata"]["namespace"], pod["metadata"]["name"], "portforward")
    socket = await open_socket(session, path, [], [TUNNEL, PROTOCOL])
    spdy = SpdySession(Tunnel(socket), server=False)
    try:
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(spdy.run())
            forwards = _Forwards(spdy)
            for local, remote in ports:
                await forwards.listen(addresses, local, remote)
            await reading
        raise UsageError("lost connection to pod")
    finally:
        socket.abort()


class _Forwards:
    """The listening sockets of one session."""

    def __init__(self, spdy: SpdySession) -> None:
        self._spdy = spdy
        self._requests = 0
        self._servers: list[asyncio.Server] = []

    async def listen(self, addresses: Sequence[str], local: int, remote: int) -> None:
        hosts = [host for each in addresses for host in (("127.0.0.1", "::1") if each == "localhost" else (each,))]
        opened = 0
        for host in hosts:
            try:
                server = await asyncio.start_server(partial(self._connected, remote, local), host, local)
            except OSError as error:
                if host == "::1" and opened:
                    continue
                text = f"listen tcp{'6' if ':' in host else '4'} {host}:{local}: bind: {error.strerror or error}"
                print(f"Unable to listen on port {local}: Listeners failed to create with the following errors: "
                      f"[unable to create listener: Error {text}]", file=sys.stderr)  # fmt: skip
                raise UsageError(f"unable to listen on any of the requested ports: [{{{local} {remote}}}]") from error
            opened += 1
            local = server.sockets[0].getsockname()[1]
            self._servers.append(server)
            shown = f"[{host}]" if ":" in host else host
            print(f"Forwarding from {shown}:{local} -> {remote}", flush=True)

    async def _connected(
        self, remote: int, local: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        print(f"Handling connection for {local or writer.get_extra_info('sockname')[1]}", flush=True)
        number, self._requests = self._requests, self._requests + 1
        common = [("port", str(remote)), ("requestid", str(number))]
        try:
            error = await self._spdy.open([("streamtype", "error"), *common])
            await error.close()
            data = await self._spdy.open([("streamtype", "data"), *common])
            await _copy(data, error, reader, writer)
        except ConnectionError:
            return
        finally:
            writer.close()


async def _copy(
    data: SpdyStream, error: SpdyStream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    async def upward() -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(32768):
                await data.write(chunk)
            await data.close()

    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(upward())
        with suppress(ConnectionError):
            while chunk := await data.read():
                writer.write(chunk)
                await writer.drain()
        sending.cancel()
    problem = b""
    while chunk := await error.read():
        problem += chunk
    if problem:
        print(f"E an error occurred forwarding: {problem.decode(errors='replace')}", file=sys.stderr, flush=True)
