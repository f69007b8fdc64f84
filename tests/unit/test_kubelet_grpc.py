"""The gRPC health check, against gRPC's own server."""

import grpc
import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import GRPCAction
from kubelet.handlers import Handlers

SERVING = {"": b"\x08\x01", "slow": b"\x08\x02", "x" * 200: b"\x08\x01"}


@pytest.fixture
async def port():
    async def answer(request, context):
        name = request[2:].decode() if len(request) < 100 else request[3:].decode()
        if name not in SERVING:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return SERVING[name]

    server = grpc.aio.server()
    check = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check}),))
    bound = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield bound
    await server.stop(None)


@pytest.mark.parametrize(
    ("service", "passed", "message"),
    [
        ("", True, ""),
        ("x" * 200, True, ""),
        ("slow", False, 'service unhealthy (responded with "NOT_SERVING")'),
        ("other", False, "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"),
    ],
)
async def test_what_the_server_says(port, service, passed, message):
    handlers = Handlers(None)
    action = view({"port": port, "service": service}, GRPCAction)
    for _ in range(2):
        found, said = await handlers.health(action, address="127.0.0.1", patience=60)
        assert found is passed
        assert passed or message in said
    await handlers.close()


async def test_nobody_listens():
    handlers = Handlers(None)
    found, said = await handlers.health(view({"port": 1}, GRPCAction), address="127.0.0.1", patience=0.3)
    await handlers.close()
    assert not found
    assert said == 'timeout: failed to connect service "127.0.0.1:1" within 0s: context deadline exceeded'
