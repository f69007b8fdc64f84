"""MutatingAdmissionPolicies: what an upstream v1.34 server answered (scripts/record_policies.py), and who may see them.

The recorded answers are tests/golden/policies.json, the requests policy_scenarios.py.
"""

import json
from pathlib import Path

import pytest
import pytest_asyncio

from apiserver.options import Options
from apiserver.switches import features, more_kinds
from tests.contract import policy_objects as objects
from tests.contract import policy_scenarios as scenarios
from tests.contract.api_server import CORE, config_map, running
from tests.contract.webhook_configurations import MAPS, mutate_with
from tests.contract.webhook_servers import hook, patch, webhook

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
        for path, tree in objects.SETUP:
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


BAD = [("policy", objects.POLICIES, name, tree) for name, tree in scenarios.BAD.items()]
BAD += [("binding", objects.BINDINGS, name, tree) for name, tree in scenarios.BAD_BINDINGS.items()]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("what", "path", "name", "tree"), BAD, ids=lambda it: it if isinstance(it, str) else "")
async def test_a_bad_policy_is_refused_as_upstream_refuses_it(server, what, path, name, tree):
    assert await answered(server, [("POST", f"{path}?dryRun=All", tree)]) == GOLDEN[f"bad {what}: {name}"]


COUNTS = "Object{data: {'seen': string('second' in object.data)}}"


@pytest.fixture
async def fresh():
    async with running(options=ON) as it:
        yield it


async def bound(server, *rows):
    for path, tree in rows:
        await server.must("POST", path, tree)


@pytest.mark.parametrize(("reinvocation", "seen"), [("Never", "false"), ("IfNeeded", "true")])
async def test_a_policy_sees_what_a_webhook_made_after_it_if_it_asks_for_it(fresh, reinvocation, seen):
    await bound(fresh, objects.policy("p", objects.apply(COUNTS), reinvocation=reinvocation), objects.binding("b"))
    async with webhook(lambda _r: patch({"op": "add", "path": "/data/second", "value": "yes"})) as it:
        await mutate_with(fresh, hook("a.example.com", it, MAPS))
        made = await fresh.must("POST", f"{CORE}/configmaps", config_map("a"))
        assert made["data"] == {"key": "value", "seen": seen, "second": "yes"}
        assert len(it.asked) == 1
        assert it.asked[0]["object"]["data"]["seen"] == "false"


@pytest.mark.parametrize(("reinvocation", "asked"), [("Never", 1), ("IfNeeded", 2)])
async def test_a_webhook_sees_what_a_policy_made_in_the_second_round(fresh, reinvocation, asked):
    await bound(fresh, objects.policy("p", objects.apply(COUNTS), reinvocation="IfNeeded"), objects.binding("b"))
    async with webhook(lambda _r: patch({"op": "add", "path": "/data/second", "value": "yes"})) as it:
        await mutate_with(fresh, hook("a.example.com", it, MAPS, reinvocationPolicy=reinvocation))
        await fresh.must("POST", f"{CORE}/configmaps", config_map("a"))
        assert [request["object"]["data"]["seen"] for request in it.asked] == ["false", "true"][:asked]


async def test_without_the_gate_policies_are_kept_and_not_applied():
    async with running(options=Options(more_kinds=more_kinds(VERSIONS))) as server:
        await bound(server, objects.policy("p", objects.apply(objects.LABELLED)), objects.binding("b"))
        made = await server.must("POST", f"{CORE}/configmaps", config_map("a"))
    assert "labels" not in made["metadata"]


async def test_the_plugin_can_be_turned_off():
    options = Options(features=ON.features, more_kinds=ON.more_kinds, admission_disabled=("MutatingAdmissionPolicy",))
    async with running(options=options) as server:
        await bound(server, objects.policy("p", objects.apply(objects.LABELLED)), objects.binding("b"))
        made = await server.must("POST", f"{CORE}/configmaps", config_map("a"))
    assert "labels" not in made["metadata"]


async def test_both_versions_show_the_same_policies(fresh):
    await bound(fresh, objects.policy("p", objects.apply(objects.LABELLED)), objects.binding("b"))
    older = objects.POLICIES.replace("v1beta1", "v1alpha1")
    one, other = await fresh.must("GET", f"{objects.POLICIES}/p"), await fresh.must("GET", f"{older}/p")
    assert one["apiVersion"] == "admissionregistration.k8s.io/v1beta1"
    assert {**one, "apiVersion": "admissionregistration.k8s.io/v1alpha1"} == other


async def test_what_became_of_mutations_is_counted(fresh):
    wrong = objects.apply("Object{data: {'x': object.data.nope}}")
    await bound(fresh, objects.policy("counted", objects.apply("Object{}"), wrong), objects.binding("b", "counted"))
    await fresh.call("POST", f"{CORE}/configmaps", config_map("a"))
    shown = (await fresh.send("GET", "/metrics")).text
    for error in ("no_error", "invalid_error"):
        labels = f'error_type="{error}",policy="counted",policy_binding="b"'
        assert f"apiserver_mutating_admission_policy_check_total{{{labels}}} 1\n" in shown
