"""The kinds of resource.k8s.io, where the recorded requests (tests/golden/devices.json.gz) do not tell why."""

import copy

import pytest

from apimachinery import kinds as k
from apimachinery.errors import FORBIDDEN_FIELD
from apiserver.request import User
from apiserver.strategies import WriteContext, strategy_of
from apiserver.strategies.devices import admin_access, gates, selectors

CONTEXT = WriteContext(User("alice", (), "u1", {}), 1_700_000_000.0)
DEVICE = {"driver": "d.example.com", "pool": "p", "device": "g"}
RESULT = {**DEVICE, "request": "r"}


def claim(status=None, **devices):
    asked = [{"name": "r", "exactly": {"deviceClassName": "d", "allocationMode": "All"}}]
    tree = {"metadata": {"name": "x"}, "spec": {"devices": {"requests": asked, **devices}}}
    return tree if status is None else {**tree, "status": status}


def allocation(*results):
    return {"devices": {"results": list(results)}}


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("device.driver == 'a' && device.attributes['a'].b", ""),
        ("cel.bind(a, device.attributes['a'], a.b == 1)", ""),
        ("device.capacity['a'].b.isGreaterThan(quantity('1Gi'))", ""),
        ("device.driver", "must evaluate to bool or the unknown type, not string"),
        ("dyn(device)", "must evaluate to bool or the unknown type, not dyn"),
        ("device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, a == b)))", ""),
        (
            " && ".join(["device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, a == b)))"] * 9),
            "too complex, exceeds cost limit",
        ),
    ],
)
def test_selectors_are_compiled_and_costed(expression, said):
    found = [problem.detail for problem in selectors.check("s", [{"cel": {"expression": expression}}])]
    assert found == ([said] if said else [])


def test_generation_of_a_slice_rises_for_what_is_dropped_then():
    strategy = strategy_of(k.RESOURCESLICES)
    old = {"metadata": {"name": "x", "generation": 1}, "spec": {"driver": "d", "devices": [{"name": "g"}]}}
    new = copy.deepcopy(old)
    new["spec"]["devices"][0]["taints"] = [{"key": "a", "effect": "NoSchedule"}]
    stored = strategy.stamp(new, old, CONTEXT)
    assert stored["spec"] == old["spec"]
    assert stored["metadata"]["generation"] == 2
    assert strategy.stamp(copy.deepcopy(stored), stored, CONTEXT) == stored


def test_what_drivers_said_of_devices_goes_with_the_allocation():
    strategy = strategy_of(k.RESOURCECLAIMS)
    other = {**DEVICE, "device": "h"}
    old = claim({"allocation": allocation(RESULT, {**RESULT, "device": "h"}), "devices": [DEVICE, other]})
    new = claim({"devices": [DEVICE, other]})
    assert "devices" not in strategy.prepare_status(new, old)["status"]
    new = claim({"allocation": allocation(RESULT), "devices": [DEVICE, other]})
    assert strategy.prepare_status(new, old)["status"]["devices"] == [DEVICE]


@pytest.mark.parametrize("shares", [False, True])
def test_shares_are_kept_only_where_the_spec_knows_of_them(shares):
    old = claim(constraints=[{"distinctAttribute": "a.com/b"}] if shares else [])
    status = {"allocation": allocation({**RESULT, "shareID": "s"}), "devices": [{**DEVICE, "shareID": "s"}]}
    gates.drop_of_status(status, old)
    assert ("shareID" in status["devices"][0], "shareID" in status["allocation"]["devices"]["results"][0]) == (
        shares,
        shares,
    )


def test_users_are_not_added_to_a_claim_that_goes():
    strategy = strategy_of(k.RESOURCECLAIMS)
    users = [{"resource": "pods", "name": name, "uid": name} for name in ("a", "b")]
    old = claim({"allocation": allocation(RESULT), "reservedFor": users[:1]})
    new = claim({"allocation": allocation(RESULT), "reservedFor": users})
    assert strategy.check_status(new, old) == []
    new["metadata"]["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    found = strategy.check_status(new, old)
    assert [(problem.path, problem.kind) for problem in found] == [("status.reservedFor", FORBIDDEN_FIELD)]


def test_admin_access_is_asked_for_once():
    asks = {"devices": {"requests": [{"name": "r"}, {"name": "s", "exactly": {"adminAccess": True}}]}}
    path = "spec.devices.requests[1].adminAccess"
    assert admin_access.wanted({"spec": asks}, None, "") == path
    assert admin_access.wanted({"spec": {"spec": asks}}, None, "") == path
    assert admin_access.wanted({"spec": asks}, {"spec": asks}, "") == ""
    granted = claim({"allocation": allocation({**RESULT, "adminAccess": True})})
    assert admin_access.wanted(granted, claim(), "status") == "status.allocation.devices.results[0].adminAccess"
    assert admin_access.wanted(granted, granted, "status") == ""
    assert admin_access.problems(path, {"resource.kubernetes.io/admin-access": "true"}) == []
    assert len(admin_access.problems(path, {})) == 1
