"""Definitions to test with, and how to wait until one is served."""

import asyncio

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"

SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer", "minimum": 1, "default": 3},
                "color": {"type": "string", "enum": ["red", "blue"]},
                "name": {"type": "string", "pattern": "^[a-z]+$"},
            },
        },
        "status": {"type": "object", "properties": {"ok": {"type": "boolean"}, "replicas": {"type": "integer"}}},
    },
}


def version(name="v1", *, served=True, storage=True, schema=SCHEMA, **more):
    return {"name": name, "served": served, "storage": storage, "schema": {"openAPIV3Schema": schema}, **more}


def crd(plural="widgets", kind="Widget", *, group="example.com", versions=None, names=None, **spec):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **(names or {})},
            "versions": versions or [version()],
            **spec,
        },
    }


def widget(name, spec=None, *, api_version="example.com/v1", **more):
    metadata = {"name": name, **more.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": "Widget", "metadata": metadata, "spec": spec or {}, **more}


def conditions(tree):
    found = (tree.get("status") or {}).get("conditions") or ()
    return {c["type"]: (c["status"], c["reason"], c["message"]) for c in found}


async def wait_condition(server, name, kind, status="True"):
    """The definition, once a condition has a status."""
    async with asyncio.timeout(30), server.watch(CRDS, fieldSelector=f"metadata.name={name}") as events:
        while True:
            _, tree = await events.next()
            if conditions(tree).get(kind, ("",))[0] == status:
                return tree


async def define(server, definition):
    """Create a definition and wait until it is established."""
    await server.must("POST", CRDS, definition)
    return await wait_condition(server, definition["metadata"]["name"], "Established")


async def wait_gone(server, name):
    async with asyncio.timeout(30), server.watch(CRDS, fieldSelector=f"metadata.name={name}") as events:
        while (await events.next())[0] != "DELETED":
            pass


async def followed(server):
    """Until the server serves what the store has: a write of a definition does not wait for that."""
    await server.app.api.fresh()
    server.app.api.catch_up()
