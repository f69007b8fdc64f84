"""Requests that Schemathesis grows from our own OpenAPI documents: every answer is below 500, and is a Status where it is an error.

A bounded, seeded run against a server in this process; scripts/fuzz_openapi.sh runs it large, over all documents.
"""

import asyncio
import contextlib
import json
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.contract.api_server import running
from tests.contract.streams_servers import in_thread

#: Small documents, among them every form of path and verb. The large ones take minutes.
DOCUMENTS = (
    "apis/coordination.k8s.io/v1",
    "apis/policy/v1",
    "apis/authorization.k8s.io/v1",
    "apis/node.k8s.io/v1",
    "apis/discovery.k8s.io/v1",
    "apis/scheduling.k8s.io/v1",
    "apis/rbac.authorization.k8s.io/v1",
)
EXAMPLES = 150
_STREAMS = re.compile(r"/watch/|/(proxy|log|exec|attach|portforward)\b")


@contextlib.asynccontextmanager
async def _opened():
    async with running() as server:
        yield server, asyncio.get_running_loop()


@pytest.fixture(scope="module")
def server():
    with in_thread(_opened) as opened:
        yield opened


def send(server, **request):
    """The answer of the server, which lives in another thread."""
    api, loop = server
    return asyncio.run_coroutine_threadsafe(api.http.request(**request), loop).result(20)


def operations(server, name):
    """Those of a document, but for what streams."""
    document = send(server, method="GET", url=f"/openapi/v3/{name}").json()
    schema = schemathesis.openapi.from_dict(document)
    found = [result.ok() for result in schema.get_all_operations()]
    return [operation for operation in found if not _STREAMS.search(operation.path)]


def as_httpx(case):
    """The request of a case; a watch of it ends soon."""
    made = case.as_transport_kwargs(base_url="http://api")
    request = {key: made[key] for key in ("method", "url", "headers", "json") if made.get(key) is not None}
    if made.get("data") is not None:
        data = made["data"]
        request["content"] = data if isinstance(data, bytes | str) else json.dumps(data, default=str)
    return {**request, "params": {**(made.get("params") or {}), "timeoutSeconds": 1}}


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_grown_requests(server, name):
    every = [
        operation.as_strategy(generation_mode=mode) for operation in operations(server, name) for mode in GenerationMode
    ]

    @seed(34)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False), st.data())
    def grown(rng, data):
        case = data.draw(rng.choice(every))
        answer = send(server, **as_httpx(case))
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        assert answer.status_code < 400 or answer.json()["kind"] == "Status", (case.as_curl_command(), answer.text)

    grown()
