"""The audit log of a whole server: one JSON object a line, as audit tools read it."""

import msgspec
import pytest

from apiserver.audit import AuditLog, parse
from apiserver.options import Options
from tests.contract.api_server import CORE, config_map, running

MAPS = f"{CORE}/configmaps"


@pytest.fixture
def lines():
    return []


def events(lines):
    return [msgspec.json.decode(line) for line in lines]


def server(lines, *rules):
    policy = parse({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules)})
    return running(options=Options(audit=AuditLog(policy, lines.append, lambda: 1000.5)))


async def test_a_request_is_recorded_as_far_as_the_policy_says(lines):
    rules = (
        {"level": "RequestResponse", "resources": [{"group": "", "resources": ["configmaps"]}],
         "omitStages": ["RequestReceived"], "omitManagedFields": True},
        {"level": "None"},
    )  # fmt: skip
    async with server(lines, *rules) as api:
        response = await api.send("POST", MAPS, config_map("a"), headers={"user-agent": "me/1"})
        (event,) = events(lines)
        assert event["auditID"] == response.headers["audit-id"]
        assert (event["level"], event["stage"], event["verb"]) == ("RequestResponse", "ResponseComplete", "create")
        assert event["requestURI"] == MAPS
        assert event["user"] == {"username": "system:admin", "groups": ["system:masters", "system:authenticated"]}
        assert event["userAgent"] == "me/1"
        assert event["sourceIPs"] == ["127.0.0.1"]
        assert event["objectRef"] == {"resource": "configmaps", "namespace": "default", "name": "a", "apiVersion": "v1"}
        assert event["responseStatus"] == {"metadata": {}, "code": 201}
        assert event["requestObject"]["metadata"]["name"] == "a"
        assert event["responseObject"]["metadata"]["uid"]
        assert "managedFields" not in event["responseObject"]["metadata"]
        assert event["requestReceivedTimestamp"] == "1970-01-01T00:16:40.500000Z"
        assert event["annotations"]["authorization.k8s.io/decision"] == "allow"


async def test_refusals_and_impersonation_are_told(lines):
    async with server(lines, {"level": "Metadata"}) as api:
        lines.clear()
        await api.call("GET", f"{MAPS}/a", headers={"impersonate-user": "jane"})
        received, complete = events(lines)
        assert (received["stage"], complete["stage"]) == ("RequestReceived", "ResponseComplete")
        assert "responseStatus" not in received
        assert complete["user"]["username"] == "system:admin"
        assert complete["impersonatedUser"]["username"] == "jane"
        status = complete["responseStatus"]
        assert (status["code"], status["status"], status["reason"]) == (403, "Failure", "Forbidden")
        assert complete["annotations"]["authorization.k8s.io/decision"] == "forbid"
        assert "requestObject" not in complete


async def test_a_watch_is_recorded_when_it_starts_and_when_it_ends(lines):
    async with server(lines, {"level": "Metadata"}) as api:
        lines.clear()
        async with api.watch(MAPS, timeoutSeconds="1") as stream:
            assert await stream.rest() == []
        stages = [event["stage"] for event in events(lines)]
        assert stages == ["RequestReceived", "ResponseStarted", "ResponseComplete"]


async def test_what_was_sent_is_recorded_with_its_defaults_and_a_refusal_with_its_status(lines):
    async with server(lines, {"level": "RequestResponse", "omitStages": ["RequestReceived"]}) as api:
        await api.must("POST", f"{CORE}/services", {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}})
        sent = events(lines)[-1]["requestObject"]
        assert sent["spec"]["ports"] == [{"protocol": "TCP", "port": 80, "targetPort": 80}]
        assert (sent["kind"], sent["status"]) == ("Service", {"loadBalancer": {}})
        assert "namespace" not in sent["metadata"]
        await api.call("POST", f"{CORE}/services", {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}})
        refused = events(lines)[-1]
        details = {"name": "a", "kind": "services"}
        assert refused["responseStatus"]["details"] == details
        assert refused["responseObject"]["kind"] == "Status"
        await api.must("POST", MAPS, config_map("a"))
        await api.send("DELETE", f"{MAPS}/a", headers={"accept": "application/yaml"})
        deleted = events(lines)[-1]
        assert deleted["responseStatus"]["status"] == "Success"
        assert deleted["responseStatus"]["code"] == 200


async def test_only_what_takes_long_is_recorded_when_it_starts(lines):
    async with server(lines, {"level": "Metadata", "omitStages": ["RequestReceived"]}) as api:
        for path, code, stages in (
            ("/version", 200, ["ResponseComplete"]),
            ("/nothing", 404, ["ResponseComplete"]),
            (f"{CORE}/services/none/proxy/a", 404, ["ResponseStarted", "ResponseComplete"]),
            (f"{CORE}/pods/none/log", 404, ["ResponseStarted", "ResponseComplete"]),
        ):
            lines.clear()
            await api.send("GET", path)
            found = events(lines)
            assert [event["stage"] for event in found] == stages
            assert {event["responseStatus"]["code"] for event in found} == {code}


async def test_who_was_asked_for_by_a_proxy(lines):
    async with server(lines, {"level": "Metadata"}) as api:
        headers = {"x-forwarded-for": "1.2.3.4, nobody, 5.6.7.8", "x-real-ip": "9.9.9.9"}
        await api.send("GET", MAPS, headers=headers)
        assert events(lines)[-1]["sourceIPs"] == ["1.2.3.4", "5.6.7.8", "9.9.9.9", "127.0.0.1"]
