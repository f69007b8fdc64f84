"""Health checks and metrics as a process serves them: names, reasons withheld, Prometheus' text."""

import pytest

from serving.exposition import Families
from serving.health import health_app, is_health_path, ping
from serving.series import Counter


async def broken():
    raise RuntimeError("etcd is away")


def app():
    families, things = Families(), Counter("things_total", "Things.")
    things.of().value += 1
    families.add(things)
    return health_app({"etcd": broken, "informers": ping}, families=families)


async def get(path):
    sent = []

    async def send(message):
        sent.append(message)

    path, _, query = path.partition("?")
    await app()({"path": path, "query_string": query.encode(), "headers": []}, None, send)
    return sent[0]["status"], sent[1]["body"].decode()


@pytest.mark.parametrize(
    ("path", "code", "body"),
    [
        ("/livez", 200, "ok"),
        ("/livez?verbose", 200, "[+]ping ok\nlivez check passed\n"),
        ("/readyz", 500, "[+]ping ok\n[-]etcd failed: reason withheld\n[+]informers ok\nreadyz check failed\n"),
        ("/readyz?exclude=etcd", 200, "ok"),
        ("/healthz/informers", 200, "ok"),
        ("/healthz/etcd", 500, "internal server error: etcd is away\n"),
        ("/healthz/nosuch", 404, "404 page not found\n"),
        ("/other", 404, "404 page not found\n"),
    ],
)
async def test_health(path, code, body):
    assert await get(path) == (code, body)


async def test_metrics_are_prometheus_text():
    code, body = await get("/metrics")
    assert code == 200
    assert "things_total 1\n" in body


@pytest.mark.parametrize(
    ("path", "ours"), [("/healthz/x", True), ("/metrics", True), ("/metrics/x", False), ("/", False)]
)
def test_paths(path, ours):
    assert is_health_path(path) is ours
