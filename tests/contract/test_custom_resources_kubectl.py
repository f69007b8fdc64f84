"""Custom resources with unmodified kubectl, old and new: create, explain, get, apply, wait, patch, scale, delete."""

import asyncio
import json
import os
import random
import re
import time

import pytest

from apiserver.app import Administrators, Options, create_app
from apiserver.storage.memory import MemoryStorage
from serving.https import serve
from tests import needs
from tests.contract.custom_resources import crd, version

KUBECTL = "/usr/lib/google-cloud-sdk/bin/kubectl."
SCHEMA = {
    "type": "object",
    "description": "Widget CRD for Testing",
    "properties": {
        "spec": {
            "type": "object",
            "description": "Specification of Widget",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "description": "How large it is.", "minimum": 1},
                "parts": {
                    "type": "array",
                    "description": "What it is made of.",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string", "description": "Name of a part."}},
                    },
                },
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "replicas": {"type": "integer"},
                "conditions": {
                    "type": "array",
                    "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            },
        },
    },
}
DEFINITION = crd(
    names={"shortNames": ["wd"], "categories": ["toys"]},
    versions=[
        version(
            schema=SCHEMA,
            subresources={
                "status": {},
                "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas"},
            },
            additionalPrinterColumns=[
                {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
            ],
        )
    ],
)


class Kubectl:
    """One version of kubectl against one server."""

    def __init__(self, path, port, folder):
        self.path, self.port, self.folder = path, port, folder

    async def __call__(self, *arguments, stdin=None, fails=False):
        process = await asyncio.create_subprocess_exec(
            self.path,
            f"--server=http://127.0.0.1:{self.port}",
            *arguments,
            env={"HOME": str(self.folder), "KUBECONFIG": os.devnull, "PATH": os.environ["PATH"]},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(json.dumps(stdin).encode() if stdin is not None else None)
        assert (process.returncode != 0) == fails, (arguments, out, err)
        return err.decode() if fails else out.decode()


@pytest.fixture(params=["1.27", "1.33"])
async def kubectl(request, tmp_path):
    needs.program(KUBECTL + request.param)
    app = create_app(
        MemoryStorage(), Options(), clock=time.time, random=random.Random(1), authenticator=Administrators()
    )
    stop, ports = asyncio.Event(), asyncio.Queue()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(app.run())
        await app.wait_ready()
        tasks.create_task(serve(app, host="127.0.0.1", port=0, tls=None, ready=ports.put_nowait, stop=stop))
        yield Kubectl(KUBECTL + request.param, await ports.get(), tmp_path)
        stop.set()
        running.cancel()


def widget(name, size=1, **spec):
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": size, **spec},
    }


async def test_the_life_of_a_custom_resource(kubectl):
    assert "created" in await kubectl("create", "-f", "-", stdin=DEFINITION)
    waited = await kubectl("wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=60s")
    assert "condition met" in waited
    listed = await kubectl("api-resources", "--api-group=example.com", "-o", "wide")
    assert re.search(r"widgets +wd +example.com/v1 +true +Widget +.*patch", listed)

    text = await kubectl("explain", "widgets.spec")
    assert re.search(
        r"(?s)KIND: +Widget.*DESCRIPTION:.*Specification of Widget.*FIELDS:.*size\s+<integer> -required-", text
    )
    text = await kubectl("explain", "wd")
    assert re.search(r"(?s)DESCRIPTION:.*Widget CRD for Testing.*apiVersion\s+<string>.*APIVersion defines", text)
    assert "Name of a part." in await kubectl("explain", "widgets.spec.parts")
    await kubectl("explain", "widgets.spec.nosuch", fails=True)

    await kubectl("create", "-f", "-", stdin=widget("a", 2))
    assert "configured" not in await kubectl("get", "wd")
    assert re.search(r"NAME +SIZE +AGE\na +2 +", await kubectl("get", "widget"))
    assert re.search(r"a +2 +", await kubectl("get", "toys"))
    assert json.loads(await kubectl("get", "widgets.v1.example.com", "a", "-o", "json"))["spec"] == {"size": 2}

    said = await kubectl("create", "-f", "-", stdin=widget("b", 2, nosuch=1), fails=True)
    assert 'unknown field "spec.nosuch"' in said
    said = await kubectl("create", "-f", "-", stdin=widget("b", 0), fails=True)
    assert "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1" in said
    missing = {**widget("b"), "spec": {}}
    assert "spec.size: Required value" in await kubectl("create", "-f", "-", stdin=missing, fails=True)

    await kubectl("apply", "-f", "-", stdin=widget("c", 3))
    assert "configured" in await kubectl("apply", "-f", "-", stdin=widget("c", 4))
    assert "unchanged" in await kubectl("apply", "-f", "-", stdin=widget("c", 4))
    await kubectl("patch", "widget", "c", "--type=merge", "-p", '{"spec":{"size":6}}')
    said = await kubectl("patch", "widget", "c", "--type=strategic", "-p", '{"spec":{"size":6}}', fails=True)
    assert "application/strategic-merge-patch+json is not supported" in said or "UnsupportedMediaType" in said
    await kubectl("label", "widget", "c", "a=b")
    assert "c" in await kubectl("get", "widgets", "-l", "a=b", "-o", "name")
    await kubectl("scale", "widget", "c", "--replicas=7")
    assert await kubectl("get", "widget", "c", "-o", "jsonpath={.spec.size}") == "7"

    status = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    await kubectl("patch", "widget", "c", "--subresource=status", "--type=merge", "-p", status)
    assert "condition met" in await kubectl("wait", "--for=condition=Ready", "widget/c", "--timeout=60s")
    assert "Kind:" in await kubectl("describe", "widget", "c")

    await kubectl("delete", "widget", "a")
    await kubectl("delete", "crd", "widgets.example.com", "--timeout=60s")
    assert "the server could not find the requested resource" in await kubectl("get", "widgets", fails=True)


async def test_a_definition_that_is_wrong_is_told_so(kubectl):
    bad = crd(versions=[version(schema={"type": "object", "properties": {"spec": {"properties": {}}}})])
    said = await kubectl("create", "-f", "-", stdin=bad, fails=True)
    assert "spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty" in said
