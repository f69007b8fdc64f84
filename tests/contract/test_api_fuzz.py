"""Whatever is sent, the answer is an object or a Status below 500: objects grown from the schema, strange in every field."""

import random
import urllib.parse

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from apimachinery import schema
from apimachinery.kinds import KINDS
from apiserver.request import STREAMS
from tests.contract.api_server import CORE, JSON_PATCH, MERGE, STRATEGIC, running
from tests.unit.strategies_samples import SAMPLES

WORDS = (
    "", "a", "x", "-1", "0", "5", "80", "1Gi", "100m", "1e999", "a/b", "..", "/", "*", "a" * 300, "é\U0010ffff", "50%", "::1",
    "10.0.0.1", "10.96.0.0/16", "TCP", "None", "Always", "Never", "NodePort", "ExternalName", "LoadBalancer", "Local", "In", "Exists",
    "RollingUpdate", "2001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-99-99T99:99:99Z", "* * * * *", "Pod", "v1", "apps/v1", "default",
    "localhost/x", "ClientIP", "Utilization", "Indexed", "kubernetes.io/tls", "{", "é=",
)  # fmt: skip
NUMBERS = (0, 1, 2, -1, 5, 80, 443, 65536, 2**31 - 1, 2**31, -(2**31), 2**63 - 1)
ANYTHING = (None, True, 1.5, 2**64, "x", [], {}, [None], [[]], {"": ""}, {"x": {"y": []}})


def grown(rng, node, depth=0):
    """A value of this schema, every field of it there or not."""
    if rng.random() < 0.01:
        return rng.choice(ANYTHING)
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if "IntOrString" in name:
            return rng.choice((*WORDS, *NUMBERS))
        return grown(rng, schema.DEFINITIONS[name], depth)
    match node.get("type"):
        case "object" if "properties" in node:
            needed = node.get("required", ())
            likely = 0.5 / (1 + depth * 0.4)
            chosen = [key for key in node["properties"] if rng.random() < (0.8 if key in needed else likely)]
            return {key: grown(rng, node["properties"][key], depth + 1) for key in chosen}
        case "object":
            inside = node.get("additionalProperties") or {"type": "string"}
            return {rng.choice(WORDS): grown(rng, inside, depth + 1) for _ in range(rng.randrange(3))}
        case "array":
            return [grown(rng, node["items"], depth + 1) for _ in range(rng.randrange(3))]
        case "integer":
            return rng.choice(NUMBERS)
        case "number":
            return rng.choice((*NUMBERS, 0.5))
        case "boolean":
            return rng.random() < 0.5
        case "string":
            return rng.choice(WORDS)
    return rng.choice(ANYTHING)


def strange(rng, kind):
    """An object of the kind with a good name, made of the schema, or a good one with a part of that."""
    properties = schema.DEFINITIONS[schema.definition(kind)]["properties"]
    tree = {key: grown(rng, node) for key, node in properties.items() if key not in ("kind", "apiVersion", "metadata")}
    if rng.random() < 0.5:
        good = SAMPLES.get(kind, {})
        for key in ("spec", "status"):
            if isinstance(tree.get(key), dict) and isinstance(good.get(key), dict):
                some = {name: value for name, value in tree[key].items() if rng.random() < 0.3}
                tree[key] = {**good[key], **some}
        tree = {**good, **{key: value for key, value in tree.items() if key in ("spec", "status")}}
    meta = grown(rng, properties["metadata"]) if rng.random() < 0.2 else {}
    return {**tree, "metadata": {**(meta if isinstance(meta, dict) else {}), "name": rng.choice("abc")}}


WRITTEN = [kind for kind in KINDS if "create" in kind.verbs and schema.definition(kind)]


async def provoke(api, rng, kind):
    """One write of the kind, good or bad, and the reads after it."""
    namespace = "default" if kind.namespaced else ""
    name, body = rng.choice("abc"), strange(rng, kind)
    some = {key: value for key, value in body.items() if key != "metadata"}
    subresource = rng.choice(("", *kind.subresources))
    named = kind.path(namespace, name, subresource if subresource not in STREAMS else "")
    ways = [
        ("POST", kind.path(namespace), body, "application/json"),
        ("POST", kind.path(namespace), body, "application/json"),
        ("PUT", named, {**body, "metadata": {**body["metadata"], "name": name}}, "application/json"),
        ("PATCH", named, some, rng.choice((MERGE, STRATEGIC))),
        ("PATCH", named, [{"op": rng.choice(("add", "replace", "test")), "path": f"/{key}", "value": value} for key, value in some.items()], JSON_PATCH),
        ("DELETE", kind.path(namespace, name), grown(rng, {"$ref": "#/io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"}), "application/json"),
        ("GET", f"{kind.path(namespace)}?fieldSelector={urllib.parse.quote(rng.choice(WORDS))}", None, ""),
    ]  # fmt: skip
    method, path, sent, type = rng.choice(ways)
    raw = msgspec.json.encode(sent) if sent is not None else None
    answer = await api.send(method, path, raw=raw, type=type)
    assert answer.status_code < 500, (method, path, type, sent, answer.text)
    table = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    if "list" in kind.verbs:
        answer = await api.send("GET", kind.path(namespace), headers=table)
        assert answer.status_code < 500, (method, path, type, sent, answer.text)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
async def test_no_write_breaks_the_server(seed):
    rng = random.Random(seed)
    async with running() as api:
        for _ in range(20):
            await provoke(api, rng, rng.choice(WRITTEN))
        assert (await api.send("GET", f"{CORE}/pods")).status_code == 200


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.plural)
async def test_every_kind_stands_a_few_strange_objects(kind):
    rng = random.Random(kind.plural)
    async with running() as api:
        for _ in range(10):
            await provoke(api, rng, kind)
