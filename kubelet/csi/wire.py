"""Calls to a driver's sockets: gRPC over a unix socket. The only module of the kubelet that knows gRPC."""

from collections.abc import Mapping
from typing import Any

import grpc

from kubelet.csi.messages import CSI, NODE, REGISTRAR, REGISTRATION
from kubelet.volumes.protocol import CsiProblem

_PATIENCE = 120.0
_CODES = {code: "".join(part.title() for part in code.name.split("_")) for code in grpc.StatusCode}


class Socket:
    """One service behind one socket; a channel that mends itself."""

    def __init__(
        self, path: str, service: str, methods: Mapping[str, tuple[str, str]], classes: Mapping[str, Any]
    ) -> None:
        self.path = path
        self._service, self._methods, self._classes = service, methods, classes
        # Drivers in Go refuse the authority that a path would make.
        self._channel = grpc.aio.insecure_channel(f"unix:{path}", options=[("grpc.default_authority", "localhost")])

    async def call(self, method: str, patience: float = _PATIENCE, **fields: Any) -> Any:
        """The answer; raises CsiProblem in grpc-go's words."""
        asked, given = (self._classes[name] for name in self._methods[method])
        stub = self._channel.unary_unary(
            f"/{self._service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=given.FromString,
        )
        try:
            return await stub(asked(**fields), timeout=patience)
        except grpc.aio.AioRpcError as error:
            raise CsiProblem(f"rpc error: code = {_CODES[error.code()]} desc = {error.details()}") from error

    async def close(self) -> None:
        await self._channel.close(None)


def node_service(path: str) -> Socket:
    return Socket(path, "csi.v1.Node", NODE, CSI)


def registrar(path: str) -> Socket:
    return Socket(path, "pluginregistration.Registration", REGISTRAR, REGISTRATION)
