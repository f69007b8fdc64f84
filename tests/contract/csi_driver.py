"""A small CSI driver over real unix sockets: volumes are folders of its own, staged and published by real bind mounts.

It notes every call and refuses what CSI forbids: to publish what is not staged, to unstage what is published.
"""

import re
from pathlib import Path

import grpc

from kubelet.csi.messages import BYTES, CSI, EXPAND, GET_STATS, INODES, NODE, REGISTRAR, REGISTRATION, STAGE
from kubelet.volumes import mounts


class Refused(Exception):
    def __init__(self, code, details):
        super().__init__(details)
        self.code = code


class CsiDriver:
    """`async with` serves it: a registration socket in `registry`, the node service in `data`."""

    def __init__(self, name, registry, data, capabilities=(STAGE, GET_STATS, EXPAND), device=None):
        self.name, self.data, self.capabilities, self.device = name, data, capabilities, device
        self.socket, self.registration = data / "csi.sock", registry / f"{name}-reg.sock"
        self.calls, self.registered, self.failing = [], [], {}
        self.staged, self.published = {}, {}

    async def __aenter__(self):
        self.data.mkdir(parents=True, exist_ok=True)
        self.registration.parent.mkdir(parents=True, exist_ok=True)
        self._servers = [
            await self._serve(self.socket, "csi.v1.Node", NODE, CSI),
            await self._serve(self.registration, "pluginregistration.Registration", REGISTRAR, REGISTRATION),
        ]
        return self

    async def __aexit__(self, *_):
        for server in self._servers:
            await server.stop(None)
        for path in (self.socket, self.registration):
            path.unlink(missing_ok=True)

    async def _serve(self, path, service, methods, classes):
        server = grpc.aio.server()
        handlers = {
            method: grpc.unary_unary_rpc_method_handler(
                self._handler(method, classes[answer]),
                request_deserializer=classes[request].FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
            for method, (request, answer) in methods.items()
        }
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
        server.add_insecure_port(f"unix:{path}")
        await server.start()
        return server

    def _handler(self, method, answer):
        async def handle(request, context):
            self.calls.append((method, request))
            try:
                return answer(**(self._answered(method, request) or {}))
            except Refused as refusal:
                await context.abort(refusal.code, str(refusal))

        return handle

    def _answered(self, method, request):
        if method in self.failing:
            raise Refused(grpc.StatusCode.INTERNAL, self.failing[method])
        return getattr(self, re.sub(r"([A-Z])", r"_\1", method).lower())(request)

    def asked(self, method):
        return [request for name, request in self.calls if name == method]

    def names(self):
        return [name for name, _ in self.calls if name.endswith("Volume")]

    # ------------------------------------------------------------------------------------------ registration

    def _get_info(self, _request):
        return {"type": "CSIPlugin", "name": self.name, "endpoint": str(self.socket), "supported_versions": ["1.0.0"]}

    def _notify_registration_status(self, request):
        self.registered.append((request.plugin_registered, request.error))

    # ------------------------------------------------------------------------------------------ the node service

    def _node_get_info(self, _request):
        topology = {"segments": {"topology.d/zone": "z1"}}
        return {"node_id": "node-id", "max_volumes_per_node": 7, "accessible_topology": topology}

    def _node_get_capabilities(self, _request):
        return {"capabilities": [{"rpc": {"type": each}} for each in self.capabilities]}

    def _content(self, volume):
        folder = self.data / volume
        folder.mkdir(exist_ok=True)
        return folder

    def _node_stage_volume(self, request):
        if request.volume_capability.HasField("block"):
            self.staged[request.volume_id] = request.staging_target_path
            return
        if not Path(request.staging_target_path).is_dir():
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "staging target path does not exist")
        if request.volume_id not in self.staged:
            mounts.bind(str(self._content(request.volume_id)), Path(request.staging_target_path))
        self.staged[request.volume_id] = request.staging_target_path

    def _node_unstage_volume(self, request):
        if request.volume_id in {volume for volume, _ in self.published}:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "still published")
        if Path(request.staging_target_path).is_dir():
            mounts.unmount(Path(request.staging_target_path))
        self.staged.pop(request.volume_id, None)

    def _node_publish_volume(self, request):
        target = Path(request.target_path)
        is_inline = "ephemeral" in str(request.volume_context)
        is_staged = self.staged.get(request.volume_id) == request.staging_target_path
        if STAGE in self.capabilities and not is_inline and not is_staged:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "not staged")
        is_new = (request.volume_id, str(target)) not in self.published
        if is_new and request.volume_capability.HasField("block"):
            target.touch()
            mounts.bind(str(self.device), target)
        elif is_new:
            target.mkdir()
            mounts.bind(str(self._content(request.volume_id)), target, read_only=request.readonly)
        self.published[request.volume_id, str(target)] = request

    def _node_unpublish_volume(self, request):
        target = Path(request.target_path)
        if self.published.pop((request.volume_id, str(target)), None) is not None:
            mounts.unmount(target)
            (target.rmdir if target.is_dir() else target.unlink)()

    def _node_get_volume_stats(self, request):
        if not Path(request.volume_path).exists():
            raise Refused(grpc.StatusCode.NOT_FOUND, "volume path does not exist")
        inodes = {"unit": INODES, "total": 30, "available": 20, "used": 10}
        return {"usage": [{"unit": BYTES, "total": 300, "available": 200, "used": 100}, inodes]}

    def _node_expand_volume(self, request):
        return {"capacity_bytes": request.capacity_range.required_bytes}
