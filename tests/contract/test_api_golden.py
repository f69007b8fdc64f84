"""Objects good and broken, judged as a real v1.34 server judged them, and whatever comes never a 500.

The recorded answers are tests/golden/validation.json (scripts/record_validation.py says how they came about).
"""

import json
import random
from pathlib import Path

from apimachinery import schema
from apiserver.app import Options
from scripts.record_validation import body_of, changed, changes, complaints
from tests.contract.api_server import running
from tests.unit.strategies_samples import SAMPLES

GOLDEN = Path(__file__).parent.parent / "golden" / "validation.json"
BY_NAME = {kind.resource: kind for kind in SAMPLES}
BARE = Options(admission_disabled=("ServiceAccount",))
FUZZED = 1000


async def test_objects_are_judged_as_upstream_judges_them():
    wrong = []
    async with running(options=BARE) as server:
        for resource, cases in json.loads(GOLDEN.read_text()).items():
            kind = BY_NAME[resource]
            base, path = body_of(kind), kind.path("default" if kind.namespaced else "") + "?dryRun=All"
            for where, value, expected in cases:
                code, answer = await server.call("POST", path, changed(base, where, value))
                found = complaints(answer) if code != 201 else None
                if found != expected:
                    wrong.append((resource, ".".join(map(str, where)), value, expected, found))
    assert wrong == []


async def test_no_change_of_a_good_object_breaks_the_server():
    """Whatever is taken is stored in a form that the server takes again."""
    dice = random.Random(34)
    every = [(kind, *case) for kind in SAMPLES for case in changes(schema.definition(kind) or "")]
    async with running(options=BARE) as server:
        for number, (kind, where, value) in enumerate(dice.sample(every, FUZZED)):
            body = changed(body_of(kind), where, value)
            if kind.plural not in ("customresourcedefinitions", "apiservices", "ipaddresses"):
                body["metadata"]["name"] = f"o{number}"
            collection = kind.path("default" if kind.namespaced else "")
            code, made = await server.call("POST", collection, body)
            assert code < 500, (kind.kind, where, value, made["message"])
            if code == 201:
                one = f"{collection}/{made['metadata']['name']}"
                code, again = await server.call("PUT", one, made)
                assert code in (200, 409), (
                    kind.kind,
                    where,
                    value,
                    again,
                )  # 409: the server wrote its status meanwhile
                code, gone = await server.call("DELETE", one)
                assert code < 300, (kind.kind, where, value, gone)
