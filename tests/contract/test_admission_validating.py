"""ValidatingAdmissionPolicies: what an upstream v1.34 server answered, warnings included (scripts/record_policies.py).

The recorded answers are tests/golden/policies.json, the requests validating_scenarios.py.
"""

import json
from pathlib import Path

import pytest
import pytest_asyncio

from apiserver.options import Options
from tests.contract.api_server import running
from tests.contract.policy_objects import SETUP
from tests.contract.policy_scenarios import cleaned
from tests.contract.validating_scenarios import SCENARIOS

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "policies.json").read_text())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server():
    async with running(options=Options(admission_disabled=("ServiceAccount",))) as it:
        for path, tree in SETUP:
            await it.must("POST", path, tree)
        yield it


async def answered(server, method, path, tree, media_type="application/json"):
    response = await server.send(method, path, tree, type=media_type)
    warnings = response.headers.get_list("warning")
    return [response.status_code, cleaned(response.json()), *([warnings] if warnings else [])]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_scenario_ends_as_upstream_has_it(server, name):
    made, asked = SCENARIOS[name]
    for path, tree in made:
        await server.must("POST", path, tree)
    try:
        assert [await answered(server, *request) for request in asked] == GOLDEN[f"validating: {name}"]
    finally:
        for path, tree in reversed(made):
            await server.must("DELETE", f"{path}/{tree['metadata']['name']}")
