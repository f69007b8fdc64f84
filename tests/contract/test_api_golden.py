"""Good and broken objects of each kind, judged as a real v1.34 server judged them (recorded: scripts/record_validation)."""

import json
from pathlib import Path

import pytest

from apiserver.app import Options
from scripts.record_validation import body_of, changed, complaints
from tests.contract.api_server import running
from tests.unit.strategies_samples import SAMPLES

GOLDEN = Path(__file__).parent.parent / "golden" / "validation.json"
RECORDED = json.loads(GOLDEN.read_text())
BY_NAME = {kind.resource: kind for kind in SAMPLES}


@pytest.mark.parametrize("resource", RECORDED)
async def test_objects_are_judged_as_upstream_judges_them(resource):
    kind = BY_NAME[resource]
    base, path = body_of(kind), kind.path("default" if kind.namespaced else "") + "?dryRun=All"
    async with running(options=Options(admission_disabled=("ServiceAccount",))) as server:
        wrong = []
        for where, value, expected in RECORDED[resource]:
            code, answer = await server.call("POST", path, changed(base, where, value))
            found = complaints(answer) if code != 201 else None
            if found != expected:
                wrong.append((".".join(map(str, where)), value, expected, found))
        assert wrong == []
