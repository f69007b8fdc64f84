"""What is wrong with a patch, told or refused: said twice, known to nobody, of what is not there or elsewhere."""

import pytest

from tests.contract.api_server import APPS, CORE, config_map, running

JSON = "application/json"
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


@pytest.mark.parametrize(
    ("media_type", "body", "mistake"),
    [
        (
            JSON_PATCH,
            b'[{"op": "add", "path": "/data", "value": {"a": "1"}, "odd": 1}]',
            'json patch unknown field "[0].odd"',
        ),
        (
            JSON_PATCH,
            b'[{"op": "add", "op": "add", "path": "/data", "value": {"a": "1"}}]',
            'json patch duplicate field "[0].op"',
        ),
        (MERGE_PATCH, b'{"data": {"a": "0", "a": "1"}}', 'duplicate field "data.a"'),
    ],
)
async def test_mistakes_in_a_patch(media_type, body, mistake):
    async with running() as server:
        await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        url, headers = f"{CORE}/configmaps/a", {"content-type": media_type}
        refused = await server.http.patch(f"{url}?fieldValidation=Strict", content=body, headers=headers)
        assert (refused.status_code, mistake in refused.json()["message"]) == (422, True)
        ignored = await server.http.patch(f"{url}?fieldValidation=Ignore", content=body, headers=headers)
        assert (ignored.status_code, ignored.headers.get("warning")) == (200, None)
        told = await server.http.patch(url, content=body, headers=headers)
        escaped = mistake.replace('"', '\\"')
        assert (told.status_code, told.headers["warning"]) == (200, f'299 - "{escaped}"')


@pytest.mark.parametrize("op", ["[]", '{"a": 1}', "7"])
async def test_an_operation_that_is_no_text(op):
    """Upstream looks at the types of its members only where it is to report mistakes."""
    body, headers = b'[{"op": %s, "path": "/data"}]' % op.encode(), {"content-type": JSON_PATCH}
    async with running() as server:
        await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        url = f"{CORE}/configmaps/a"
        for validation, code in (("Ignore", 422), ("Warn", 400), ("Strict", 400)):
            answer = await server.http.patch(f"{url}?fieldValidation={validation}", content=body, headers=headers)
            assert (validation, answer.status_code) == (validation, code)


async def test_scale_of_what_is_not_there():
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "nobody"}, "spec": {"replicas": 1}}
    async with running() as server:
        url = f"{APPS}/deployments/nobody/scale"
        for method, body, media_type in (
            ("PUT", scale, JSON),
            ("PATCH", scale, MERGE_PATCH),
            ("PATCH", [], MERGE_PATCH),
            ("PATCH", scale, APPLY_PATCH),
        ):
            code, answer = await server.call(method, f"{url}?fieldManager=m", body, type=media_type)
            assert (code, answer["message"]) == (404, 'deployments.apps "nobody" not found')


async def test_a_patch_of_what_is_elsewhere_tells_first_what_does_not_decode():
    async with running() as server:
        await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        url = f"{CORE}/configmaps/a"
        code, answer = await server.call("PATCH", url, {"metadata": "x"}, type=MERGE_PATCH)
        assert (code, "cannot unmarshal string" in answer["message"]) == (422, True)
        body = b'{"metadata": {"namespace": "other"}, "odd": 1}'
        told = await server.http.patch(url, content=body, headers={"content-type": MERGE_PATCH})
        assert (told.status_code, told.headers["warning"]) == (400, '299 - "unknown field \\"odd\\""')
        body = [{"op": "remove", "path": "/apiVersion"}]
        code, answer = await server.call("PATCH", url, body, type=JSON_PATCH)
        assert (code, "undeterminable" in answer["message"]) == (400, True)


async def test_deletecollection_shows_what_was_listed():
    async with running() as server:
        await server.must("POST", f"{CORE}/configmaps", config_map("a", finalizers=["a.b/c"]))
        answer = await server.must("DELETE", f"{CORE}/configmaps?fieldSelector=metadata.name%3Da")
        assert "deletionTimestamp" not in answer["items"][0]["metadata"]
        assert "deletionTimestamp" in (await server.must("GET", f"{CORE}/configmaps/a"))["metadata"]


async def test_what_does_not_say_its_keys_cannot_be_applied_to():
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "labels": {"x": "y"}}}
    async with running() as server:
        await server.must("POST", f"{CORE}/serviceaccounts", {**account, "secrets": [{"namespace": "x"}]})
        url = f"{CORE}/serviceaccounts/a?fieldManager=m"
        code, answer = await server.call("PATCH", url, account, type=APPLY_PATCH)
        assert (code, "omits all key fields" in answer["message"]) == (400, True)
