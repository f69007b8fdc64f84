"""What a patch says twice, and what its operations have that none has: told, or refused."""

import pytest

from tests.contract.api_server import CORE, config_map, running

JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"


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
