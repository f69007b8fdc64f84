"""Webhooks that cannot be asked, are late, or answer what makes no sense."""

import asyncio
import base64

import pytest

from tests.contract.api_server import CORE, config_map, running
from tests.contract.webhook_configurations import MAPS, VALIDATING, mutate_with, validate_with
from tests.contract.webhook_servers import allow, hook, patch, webhook
from tests.ports import free_port


@pytest.fixture
async def server():
    async with running() as it:
        yield it


_FAILED = 'Internal error occurred: failed calling webhook "a.example.com": '


def _said(**response):
    return lambda _r: {"allowed": True, **response}


def patch_of(*operations):
    return lambda _r: patch(*operations)


def _encoded(text):
    return base64.b64encode(text.encode()).decode()


async def test_a_webhook_that_cannot_be_asked_fails_closed_or_open(server):
    port = free_port()
    nobody = {"url": f"https://127.0.0.1:{port}/x"}
    await validate_with(server, hook("fail.example.com", nobody, MAPS), name="closed")
    code, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
    assert (code, status["reason"]) == (500, "InternalError")
    assert status["message"] == (
        'Internal error occurred: failed calling webhook "fail.example.com": failed to call webhook: '
        f'Post "https://127.0.0.1:{port}/x?timeout=10s": dial tcp 127.0.0.1:{port}: connect: connection refused'
    )
    await server.must("DELETE", f"{VALIDATING}/closed")
    await validate_with(server, hook("open.example.com", nobody, MAPS, failurePolicy="Ignore"), name="open")
    await server.must("POST", f"{CORE}/configmaps", config_map("a"))


async def test_a_certificate_nobody_vouches_for(server):
    async with webhook(allow) as it:
        await validate_with(server, hook("tls.example.com", {"url": it.url}, MAPS))
        _, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert "tls: failed to verify certificate: x509: certificate signed by unknown authority" in status["message"]


async def test_timeouts_are_kept(server):
    release = asyncio.Event()

    async def late(_request):
        await release.wait()
        return allow()

    async with webhook(late) as it:
        await validate_with(server, hook("slow.example.com", it, MAPS, timeoutSeconds=1))
        code, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert code == 500
        assert f'Post "{it.url}/?timeout=1s": context deadline exceeded' in status["message"]
        release.set()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((500, "boom"), 'failed to call webhook: an error on the server ("boom") has prevented the request from'),
        ((404, "x"), "failed to call webhook: the server could not find the requested resource"),
        ((200, "no json"), "failed to call webhook: couldn't get version/kind; json parse error"),
        ({"raw": {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}}, "webhook response was absent"),
        ({"allowed": True, "uid": "other"}, 'received invalid webhook response: expected response.uid="'),
        (patch(), "validating webhook may not return response.patch"),
    ],
)
async def test_answers_that_make_no_sense(server, answer, message):
    async with webhook(lambda _r: answer) as it:
        await validate_with(server, hook("odd.example.com", it, MAPS))
        code, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert code == 500
        assert message in status["message"]


async def test_a_patch_that_does_not_apply(server):
    answer = patch({"op": "remove", "path": "/data/none"})
    async with webhook(lambda _r: answer) as it:
        await mutate_with(server, hook("bad.example.com", it, MAPS))
        code, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert (code, status["reason"]) == (500, "InternalError")


async def test_a_connection_closed_meanwhile_is_made_anew(server):
    async with webhook(allow) as it:
        await validate_with(server, hook("v.example.com", it, MAPS))
        await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        it.hang_up = True  # the next request finds the connection closed as it is sent
        await server.must("POST", f"{CORE}/configmaps", config_map("b"))
        assert it.connections == 2


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (
            lambda _r: (200, ""),
            500,
            "failed to call webhook: 0-length response with status code: 200 and content type: ",
        ),
        (_said(patchType="JSONPatch", patch="***"), 500, "failed to call webhook: illegal base64 data at input byte 0"),
        (
            _said(patchType="JSONPatch", patch=_encoded("{")),
            500,
            "received undecodable patch in webhook response: unexpected end of JSON input",
        ),
        (
            _said(patchType="JSONPatch", patch=_encoded("{}")),
            500,
            "received undecodable patch in webhook response: json: cannot unmarshal object into Go value of type",
        ),
        (_said(patchType="Merge", patch=_encoded("[]")), 201, ""),
        (_said(patchType="Merge", patch=_encoded('[{"op": "add"}]')), 500, 'unsupported patch type "Merge"'),
        (patch_of({"op": "remove", "path": "/kind"}), 201, ""),
    ],
)
async def test_answers_of_mutating_webhooks_that_make_no_sense(server, answer, code, message):
    async with webhook(answer) as it:
        await mutate_with(server, hook("a.example.com", it, MAPS))
        got, tree = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert got == code
        assert code == 201 or tree["message"].startswith(f"{_FAILED}{message}")


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (
            {"op": "remove", "path": "/data/none"},
            "error in remove for path: '/data/none': Unable to remove nonexistent key: ",
        ),
        (
            {"op": "add", "path": "/no/where", "value": 1},
            'add operation does not apply: doc is missing path: "/no/where": ',
        ),
        ({"op": "test", "path": "/data/key", "value": "x"}, "testing value /data/key failed: test failed"),
    ],
)
async def test_a_patch_that_does_not_apply_says_why(server, operation, why):
    async with webhook(patch_of(operation)) as it:
        await mutate_with(server, hook("a.example.com", it, MAPS, failurePolicy="Ignore"))
        code, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert (code, status["reason"]) == (500, "InternalError")
        assert status["message"].startswith(f"Internal error occurred: {why}")
