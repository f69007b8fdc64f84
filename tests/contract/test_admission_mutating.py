"""MutatingAdmissionPolicies: what an upstream v1.34 server answered (scripts/record_policies.py), and who may see them.

The recorded answers are tests/golden/policies.json, the requests policy_scenarios.py.
"""

import json
from pathlib import Path

import pytest
import pytest_asyncio

from apiserver.options import Options
from apiserver.switches import features, more_kinds
from tests.contract import policy_scenarios as scenarios
from tests.contract.api_server import running

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "policies.json").read_text())
VERSIONS = "admissionregistration.k8s.io/v1beta1=true,admissionregistration.k8s.io/v1alpha1=true"
ON = Options(
    features=features("MutatingAdmissionPolicy=true"),
    more_kinds=more_kinds(VERSIONS),
    admission_disabled=("ServiceAccount",),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server():
    async with running(options=ON) as it:
        for path, tree in scenarios.SETUP:
            await it.must("POST", path, tree)
        yield it


async def answered(server, requests):
    found = []
    for method, path, tree, *more in requests:
        code, answer = await server.call(method, path, tree, type=more[0] if more else "application/json")
        found.append([code, scenarios.cleaned(answer)])
    return found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", scenarios.SCENARIOS)
async def test_a_scenario_ends_as_upstream_has_it(server, name):
    made, asked = scenarios.SCENARIOS[name]
    for path, tree in made:
        await server.must("POST", path, tree)
    try:
        assert await answered(server, asked) == GOLDEN[name]
    finally:
        for path, tree in reversed(made):
            await server.must("DELETE", f"{path}/{tree['metadata']['name']}")


BAD = [("policy", scenarios.POLICIES, name, tree) for name, tree in scenarios.BAD.items()]
BAD += [("binding", scenarios.BINDINGS, name, tree) for name, tree in scenarios.BAD_BINDINGS.items()]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("what", "path", "name", "tree"), BAD, ids=lambda it: it if isinstance(it, str) else "")
async def test_a_bad_policy_is_refused_as_upstream_refuses_it(server, what, path, name, tree):
    assert await answered(server, [("POST", f"{path}?dryRun=All", tree)]) == GOLDEN[f"bad {what}: {name}"]
