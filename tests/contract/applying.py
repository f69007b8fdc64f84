"""What the tests of server-side apply start from: configurations, how they are applied, and who owns what after it."""

from tests.contract.api_server import APPS, CORE

APPLY = "application/apply-patch+yaml"
MAPS = f"{CORE}/configmaps"
DEPLOYMENTS = f"{APPS}/deployments"


def applied(name, data, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data}


async def apply(api, path, tree, manager="me", **query):
    asked = "&".join(f"{name}={value}" for name, value in {"fieldManager": manager, **query}.items() if value != "")
    return await api.call("PATCH", f"{path}/{tree['metadata']['name']}?{asked}", tree, type=APPLY)


def owners(tree):
    """(manager, operation, subresource) -> fields."""
    entries = tree["metadata"].get("managedFields", [])
    return {(e["manager"], e["operation"], e.get("subresource", "")): e["fieldsV1"] for e in entries}
