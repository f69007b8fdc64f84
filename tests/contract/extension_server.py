"""An extension API server, as small as can be: flunders of wardle.example.com, kept in memory, served over HTTPS.

It does what the sample-apiserver does: trusts the front proxy's certificate (and nobody else), takes the user from
X-Remote-*, and asks the main server by SubjectAccessReview whether that user may.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

import msgspec
from cryptography import x509

from serving.asgi import header, header_values, reply, reply_json, reply_text
from serving.https import ServerTLS, serve

GROUP, VERSION = "wardle.example.com", "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
ROOT = f"/apis/{GROUP}/{VERSION}"
FLUNDERS = f"{ROOT}/namespaces/default/flunders"
VERBS = ["create", "delete", "get", "list", "watch"]
SCHEMA = {
    "type": "object",
    "description": "A flunder swims.",
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": {"type": "object", "properties": {"depth": {"type": "integer"}}},
    },
    "x-kubernetes-group-version-kind": [{"group": GROUP, "version": VERSION, "kind": "Flunder"}],
}
NAME = "com.example.wardle.v1alpha1.Flunder"


def refusal(code, reason, message):
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    }  # fmt: skip


@dataclass
class Extension:
    """The app, and what it saw."""

    review: object  # (SubjectAccessReview spec) -> whether allowed
    aggregated: bool = True
    openapi_v3: bool = True
    flunders: dict = field(default_factory=dict)
    revision: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    events: list = field(default_factory=list)
    asked: list = field(default_factory=list)  # (user, groups, method, path)
    headers: list = field(default_factory=list)

    async def __call__(self, scope, receive, send):
        der = (scope.get("extensions") or {}).get("tls", {}).get("client_cert")
        if not der or x509.load_der_x509_certificate(der).subject.rfc4514_string() != "CN=front-proxy-client":
            await reply_json(send, refusal(401, "Unauthorized", "Unauthorized"), 401)
            return
        user, groups = header(scope, b"x-remote-user"), header_values(scope, b"x-remote-group")
        if user != "system:kube-aggregator":  # which looks around by itself
            self.asked.append((user, tuple(groups), scope["method"], scope["path"]))
            self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await self._answer(scope, receive, send, user, groups)

    async def _answer(self, scope, receive, send, user, groups):
        match scope["path"].strip("/").split("/"):
            case ["apis"] if self.aggregated and "APIGroupDiscoveryList" in header(scope, b"accept"):
                body = msgspec.json.encode(self._aggregated())
                await reply(send, 200, body, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
            case ["apis", group, version] if (group, version) == (GROUP, VERSION):
                await reply_json(send, self._resources())
            case ["openapi", "v2"]:
                await reply_json(send, self._openapi_v2())
            case ["openapi", "v3"] if self.openapi_v3:
                url = f"/openapi/v3{ROOT}?hash=1"
                await reply_json(send, {"paths": {ROOT.strip("/"): {"serverRelativeURL": url}}})
            case ["openapi", "v3", *_] if self.openapi_v3:
                paths = self._openapi_v2()["paths"]
                await reply_json(send, {"openapi": "3.0.0", "paths": paths, "components": {"schemas": {NAME: SCHEMA}}})
            case ["apis", _, _, "namespaces", namespace, "flunders", *rest]:
                await self._flunders(scope, receive, send, (user, groups), namespace, rest)
            case _:
                await reply_text(send, "404 page not found\n", 404)

    async def _flunders(self, scope, receive, send, who, namespace, rest):
        watching = b"watch=true" in scope["query_string"] or b"watch=1" in scope["query_string"]
        verb = {"POST": "create", "DELETE": "delete", "PATCH": "patch"}.get(scope["method"], "get" if rest else "list")
        spec = {"user": who[0], "groups": who[1], "resourceAttributes": {
            "namespace": namespace, "verb": "watch" if watching else verb, "group": GROUP, "version": VERSION,
            "resource": "flunders", "name": rest[0] if rest else "", "subresource": rest[1] if rest[1:] else "",
        }}  # fmt: skip
        if not await self.review(spec):
            text = f'flunders.{GROUP} is forbidden: User "{who[0]}" cannot {verb} resource "flunders"'
            await reply_json(send, refusal(403, "Forbidden", text), 403)
        elif rest[1:] == ["shout"]:
            stream = await scope["extensions"]["upgrade"].accept([])
            while data := await stream.read():
                await stream.write(data.upper())
            await stream.close()
        elif watching:
            await self._watch(receive, send)
        elif verb == "create":
            await reply_json(send, self._create(namespace, msgspec.json.decode(await body_of(receive))), 201)
        elif verb == "list":
            meta = {"resourceVersion": str(self.revision)}
            await reply_json(
                send, {"kind": "FlunderList", "apiVersion": API_VERSION, "metadata": meta,
                       "items": list(self.flunders.values())},
            )  # fmt: skip
        elif rest[0] not in self.flunders:
            await reply_json(send, refusal(404, "NotFound", f'flunders.{GROUP} "{rest[0]}" not found'), 404)
        elif verb == "delete":
            await reply_json(send, self._told("DELETED", self.flunders.pop(rest[0])))
        else:
            await reply_json(send, self.flunders[rest[0]])

    def _create(self, namespace, tree):
        meta = {**tree["metadata"], "namespace": namespace, "uid": tree["metadata"]["name"]}
        flunder = {**tree, "kind": "Flunder", "apiVersion": API_VERSION, "metadata": meta}
        self.flunders[meta["name"]] = self._told("ADDED", flunder)
        return flunder

    def _told(self, type_, flunder):
        self.revision += 1
        flunder["metadata"]["resourceVersion"] = str(self.revision)
        self.events.append({"type": type_, "object": flunder})
        self.changed.set()
        return flunder

    async def _watch(self, receive, send):
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
        await send(start)
        sent = 0
        while True:
            for event in self.events[sent:]:
                line = msgspec.json.encode(event) + b"\n"
                await send({"type": "http.response.body", "body": line, "more_body": True})
            sent = len(self.events)
            self.changed.clear()
            await self.changed.wait()

    def _resources(self):
        rows = [
            {"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder", "verbs": VERBS,
             "shortNames": ["fl"]},
            {"name": "flunders/shout", "singularName": "", "namespaced": True, "kind": "Flunder", "verbs": ["get"]},
        ]  # fmt: skip
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": API_VERSION, "resources": rows}

    def _aggregated(self):
        kind = {"group": GROUP, "version": VERSION, "kind": "Flunder"}
        row = {"resource": "flunders", "responseKind": kind, "scope": "Namespaced", "singularResource": "flunder",
               "verbs": VERBS, "shortNames": ["fl"]}  # fmt: skip
        item = {"metadata": {"name": GROUP}, "versions": [{"version": VERSION, "resources": [row]}]}
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": [item],
        }

    def _openapi_v2(self):
        get = {"operationId": "listFlunders", "responses": {"200": {"schema": {"$ref": f"#/definitions/{NAME}"}}},
               "x-kubernetes-group-version-kind": {"group": GROUP, "version": VERSION, "kind": "Flunder"}}  # fmt: skip
        get["x-kubernetes-action"] = "list"
        paths = {f"{ROOT}/namespaces/{{namespace}}/flunders": {"get": get}, "/version/": {"get": {}}}
        return {"swagger": "2.0", "info": {"title": "x", "version": "1"}, "paths": paths,
                "definitions": {NAME: SCHEMA, "Unused": {"type": "object"}}}  # fmt: skip


async def body_of(receive):
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


@contextlib.asynccontextmanager
async def serving(app, tls: ServerTLS, port=0):
    """An app on a port of its own; gives the port."""
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            serve(app, host="127.0.0.1", port=port, tls=tls, ready=ready.set_result, stop=stop, grace=0.2)
        )
        try:
            yield await ready
        finally:
            stop.set()


def service(port):
    spec = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
    return {"metadata": {"name": "sample-api"}, "spec": spec}


def api_service(port, ca_bundle, **more):
    reference = {"namespace": "default", "name": "sample-api", "port": port}
    spec = {"group": GROUP, "version": VERSION, "groupPriorityMinimum": 2000, "versionPriority": 200,
            "service": reference, "caBundle": ca_bundle, **more}  # fmt: skip
    return {"metadata": {"name": f"{VERSION}.{GROUP}"}, "spec": spec}
