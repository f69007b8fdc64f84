"""The yardstick: a bare ASGI app under the same server with the same TLS, that answers at once what it has at hand.

A request is answered with one pod's bytes, a list with the join of as many of them: less than this no API server in
Python over uvicorn can do. `python -m bench.echo PORT CERT KEY COUNT` serves until it is killed.
"""

import asyncio
import sys

import msgspec
import uvloop

from serving.https import ServerTLS, serve

POD = msgspec.json.encode({"metadata": {"name": "p", "resourceVersion": "1"}, "spec": {"filler": "x" * 4000}})


def app(count):
    pods = [POD] * count

    async def answer(scope, _receive, send):
        is_list = scope["method"] == "GET" and scope["path"].endswith("/pods")
        body = b'{"metadata":{"resourceVersion":"1"},"items":[' + b",".join(pods) + b"]}" if is_list else POD
        status = 201 if scope["method"] == "POST" else 200
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": body})

    return answer


def main(port, cert, key, count):
    tls = ServerTLS(cert, key)
    uvloop.run(serve(app(int(count)), host="127.0.0.1", port=int(port), tls=tls, stop=asyncio.Event()))


if __name__ == "__main__":
    main(*sys.argv[1:])
