"""Asks a real upstream v1.34 API server about good and broken objects of each kind, and keeps the answers as golden data.

    python -m scripts.record_validation https://127.0.0.1:17443 CA CERT KEY > tests/golden/validation.json

Each sample object (tests/unit/strategies_samples.py) is sent as it is and with one field changed at a time, all as dry
runs: fields are taken from the OpenAPI definitions, values from what is good and bad for the field's type. A share of
the answers is kept, chosen by a fixed seed: what was complained about, or that nothing was. The server must run without
the admission plugin ServiceAccount. tests/contract/test_api_golden.py asks ours the same.
"""

import copy
import itertools
import json
import random
import ssl
import sys
from collections.abc import Iterator
from typing import Any

import httpx

from apimachinery import schema
from apimachinery.kinds import CUSTOMRESOURCEDEFINITIONS, Kind
from tests.unit.strategies_samples import SAMPLES

MOST_PER_KIND = 60
LONG = "a" * 260
_TEXTS = ("", "good", "Bad Value!", LONG)
_NUMBERS = (-1, 0, 1, 5, 100000)
_AMOUNTS = ({"cpu": "1"}, {"cpu": "-1"}, {"bad name!": "1"}, {"foo": "1"}, {"example.com/x": "1500m"})
_LABELS = ({"good": "v"}, {"Bad Key!": "v"}, {"good": "Bad Value!"})
_BY_DEFINITION = {"Quantity": ("-1", "1500m"), "IntOrString": (-1, 0, "150%", "abc"), "Time": ("yesterday",)}
_SERVER_OWNED = ("status", "apiVersion", "kind", "managedFields", "metadata")

Path = tuple[str | int, ...]


def body_of(kind: Kind) -> dict[str, Any]:
    """A sample as it is sent."""
    sample: Any = copy.deepcopy(SAMPLES[kind])
    tree: dict[str, Any] = {**sample, "apiVersion": kind.api_version, "kind": kind.kind}
    tree.setdefault("metadata", {}).setdefault("name", "sample")
    if kind.namespaced:
        tree["metadata"]["namespace"] = "default"
    return tree


def changed(tree: Any, path: Path, value: Any) -> Any:
    """A copy of the tree with one field set; what leads there is made."""
    new = copy.deepcopy(tree)
    node = new
    for step, following in itertools.pairwise(path):
        container: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int):
            if not node:
                node.append(container)
            node = node[step]
        else:
            if not isinstance(node.get(step), type(container)):
                node[step] = container
            node = node[step]
    node[path[-1]] = value
    return new


def changes(definition: str, path: Path = (), seen: tuple[str, ...] = ()) -> Iterator[tuple[Path, Any]]:
    """Every field below a definition with each value to try."""
    for name, inner in schema.DEFINITIONS[definition].get("properties", {}).items():
        if name in _SERVER_OWNED:
            continue
        here = (*path, name)
        for value in _values(inner):
            yield here, value
        target = schema.target(inner) or schema.target(inner.get("items") or {})
        if target and seen.count(target) < 1:
            below = (*here, 0) if inner.get("items") else here
            yield from changes(target, below, (*seen, target))


def _values(inner: dict[str, Any]) -> tuple[Any, ...]:
    target = (schema.target(inner) or "").rpartition(".")[2]
    if target:
        return _BY_DEFINITION.get(target, ({},))
    kind = inner.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "string":
        return ("!",) if inner.get("format") in ("byte", "date-time") else _TEXTS
    if kind == "array":
        return ([], [{}]) if schema.target(inner["items"]) else ([], ["good"], ["Bad Value!"], ["good", "good"])
    if kind == "object" and isinstance(inner.get("additionalProperties"), dict):
        return _AMOUNTS if schema.target(inner["additionalProperties"]) else _LABELS
    return {"integer": _NUMBERS, "boolean": (True, False), "object": ({},)}.get(str(kind), ())


def cases_of(kind: Kind) -> list[tuple[Path, Any]]:
    """The changes to try on a kind: a share of all, the same each time."""
    every = list(changes(schema.definition(kind) or ""))
    pods_apart = [case for case in every if "template" not in case[0] or len(case[0]) < 4]
    dice = random.Random(kind.resource)
    return dice.sample(pods_apart, min(len(pods_apart), 3 * MOST_PER_KIND))


def complaints(answer: dict[str, Any]) -> list[list[str]]:
    """What a Status complains about, sorted: the field and the text."""
    causes = (answer.get("details") or {}).get("causes") or ()
    return sorted([cause.get("field", ""), cause.get("message", "")] for cause in causes)


def main() -> None:
    """Record."""
    url, authority, certificate, key = sys.argv[1:]
    context = ssl.create_default_context(cafile=authority)
    context.load_cert_chain(certificate, key)
    found = {}
    with httpx.Client(verify=context, base_url=url, timeout=30) as client:
        for kind in SAMPLES:
            if kind is CUSTOMRESOURCEDEFINITIONS:
                continue
            path = kind.path("default") + "?dryRun=All"
            base = body_of(kind)
            answers = []
            for where, value in cases_of(kind):
                answer = client.post(path, json=changed(base, where, value))
                if answer.status_code in (201, 422):
                    wrong = complaints(answer.json()) if answer.status_code == 422 else None
                    answers.append([list(where), value, wrong])
            found[kind.resource] = answers
    json.dump(found, sys.stdout, separators=(",", ":"))


if __name__ == "__main__":
    main()
