"""The yardstick: a bare ASGI app under the same server with the same TLS, that answers at once what it has at hand.

A request is answered with one pod's bytes, a list with the join of as many of them, a list by label with the join of a
fiftieth; a PATCH writes one event to every open watch. Less than this no API server in Python over uvicorn can do.
`python -m bench.echo PORT CERT KEY COUNT FILE` serves the pod in FILE until it is killed.
"""

import asyncio
import sys
from pathlib import Path

import uvloop

from serving.https import ServerTLS, serve

_JSON = (b"content-type", b"application/json")
LABELS = 50  # how many values the label has that lists are chosen by


class Echo:
    """The app."""

    def __init__(self, pod, count):
        self.pods = [pod] * count
        self.watches = set()

    async def __call__(self, scope, receive, send):
        query = scope["query_string"]
        is_list = scope["method"] == "GET" and scope["path"].endswith("/pods")
        if is_list and b"watch=1" in query:
            await self.watch(receive, send)
            return
        pod, status = self.pods[0], 201 if scope["method"] == "POST" else 200
        if scope["method"] == "PATCH":
            await self.tell((await receive())["body"])
        wanted = self.pods[:: LABELS if b"labelSelector" in query else 1]
        body = b'{"metadata":{"resourceVersion":"1"},"items":[' + b",".join(wanted) + b"]}" if is_list else pod
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [_JSON, length]})
        await send({"type": "http.response.body", "body": body})

    async def watch(self, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [_JSON]})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        self.watches.add(send)
        while (await receive())["type"] != "http.disconnect":
            pass
        self.watches.discard(send)

    async def tell(self, patch):
        """One event for all: the pod with what the patch says of its labels."""
        said = patch.removeprefix(b'{"metadata":{"labels":{').removesuffix(b"}}}")
        event = b'{"type":"MODIFIED","object":%b,%b}}\n' % (self.pods[0].strip()[:-1], said)
        for send in tuple(self.watches):
            await send({"type": "http.response.body", "body": event, "more_body": True})


def main(port, cert, key, count, file):
    tls, app = ServerTLS(cert, key), Echo(Path(file).read_bytes(), int(count))
    uvloop.run(serve(app, host="127.0.0.1", port=int(port), tls=tls, stop=asyncio.Event()))


if __name__ == "__main__":
    main(*sys.argv[1:])
