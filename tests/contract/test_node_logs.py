"""/logs/ of the kubelet, asked as an HTTP client asks: files, lists of folders, and what is not shown."""

import httpx
import pytest

from kubelet.server.app import create_app
from tests.contract.streams_servers import LocalPods


@pytest.fixture
def node_logs(tmp_path):
    """A node's folder of logs, beside something that is none of it."""
    folder = tmp_path / "log"
    for name, text in {
        "a<b.log": "one\ntwo\n", "x:y.log": "", "pods/0.log": "line", "site/index.html": "<h1>home</h1>",
        "../secret": "secret",
    }.items():  # fmt: skip
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "link").symlink_to(folder / "pods")
    return folder


def asgi_client(folder):
    app = create_app(LocalPods(folder, folder), Open(), node_logs=folder)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node")


class Open:
    """A gate for everybody."""

    async def admit(self, scope): ...


@pytest.mark.parametrize(
    ("path", "code", "text", "location"),
    [
        ("/logs/", 200, '<pre>\n<a href="a%3Cb.log">a&lt;b.log</a>\n<a href="link">link</a>\n<a href="pods/">pods/</a>\n<a href="site/">site/</a>\n<a href="./x:y.log">x:y.log</a>\n</pre>\n', None),
        ("/logs/a%3Cb.log", 200, "one\ntwo\n", None),
        ("/logs/pods", 301, "", "pods/"),
        ("/logs/pods?x=1", 301, "", "pods/?x=1"),
        ("/logs/pods/", 200, '<pre>\n<a href="0.log">0.log</a>\n</pre>\n', None),
        ("/logs/pods/0.log/", 301, "", "../0.log"),
        ("/logs/link/0.log", 200, "line", None),
        ("/logs/site/", 200, "<h1>home</h1>", None),
        ("/logs/site/index.html", 301, "", "./"),
        ("/logs/nothing", 404, "404 page not found\n", None),
        ("/logs/pods/0.log/deeper", 404, "404 page not found\n", None),
        ("/logs/..%2f..%2fsecret", 404, "404 page not found\n", None),
        ("/logs/%00", 404, "404 page not found\n", None),
        ("/logs/" + "x" * 300, 404, "404 page not found\n", None),
        ("/logs", 404, "404 page not found\n", None),
    ],
)  # fmt: skip
async def test_the_files_of_a_nodes_logs(node_logs, path, code, text, location):
    async with asgi_client(node_logs) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers.get("location")) == (code, location)
    assert answer.text.endswith(text)


async def test_a_part_of_a_log_and_what_is_refused(node_logs):
    async with asgi_client(node_logs) as client:
        answer = await client.get("/logs/pods/0.log", headers={"Range": "bytes=1-2"})
        assert (answer.status_code, answer.text, answer.headers["content-type"]) == (
            206,
            "in",
            "text/plain; charset=utf-8",
        )
        assert (await client.post("/logs/pods/0.log")).status_code == 405
    async with asgi_client(None) as client:
        answer = await client.get("/logs/")
        assert (answer.status_code, answer.text) == (405, "logs endpoint is disabled.")
