"""The audit events of one request: an `audit.k8s.io/v1` Event a stage. Source: apiserver/pkg/audit/request.go."""

from dataclasses import dataclass
from typing import Any

import msgspec

from apimachinery import times
from apimachinery.types import Json
from apiserver.audit.policy import METADATA, NONE, REQUEST_RESPONSE, Recording
from apiserver.call import Call, Response
from apiserver.request import User
from serving.https import raw_target

_JSON = "application/json"
_LONGEST_AGENT = 1024


@dataclass(slots=True)
class Audited:
    """One request, as far as it is recorded."""

    call: Call
    recording: Recording
    received: float

    def event(self, stage: str, now: float, response: Response | None = None, status: Json | None = None) -> Json:
        """The event of a stage. `status` is what a refusal says; the answer's code stands for it elsewhere."""
        call, info = self.call, self.call.target
        event: Json = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": self.recording.level,
            "auditID": call.id,
            "stage": stage,
            "requestURI": raw_target(call.scope),
            "verb": info.verb,
            "user": _user(call.impersonator or call.asker),
            "sourceIPs": _addresses(call),
            "userAgent": call.headers.get("user-agent", "")[:_LONGEST_AGENT],
        }
        if call.impersonator is not None:
            event["impersonatedUser"] = _user(call.asker)
        if info.is_resource:
            event["objectRef"] = _reference(call)
        if status is not None:
            event["responseStatus"] = status
        elif response is not None:
            event["responseStatus"] = {"metadata": {}, "code": response.status}
        self._add_bodies(event, response)
        event["requestReceivedTimestamp"] = times.rfc3339_micro(self.received)
        event["stageTimestamp"] = times.rfc3339_micro(now)
        with_bodies = self.recording.level not in (NONE, METADATA)
        if found := {**(call.whole_annotations if with_bodies else {}), **call.annotations}:
            event["annotations"] = found
        return event

    def _add_bodies(self, event: Json, response: Response | None) -> None:
        if self.recording.level in (NONE, METADATA) or not self.call.target.is_resource:
            return
        if (body := self.call.received) and (tree := self._tree(body)) is not None:
            event["requestObject"] = tree
        if self.recording.level == REQUEST_RESPONSE and response is not None and response.body:
            tree = self._tree(response.body) if response.content_type.startswith(_JSON) else None
            if tree is not None:
                event["responseObject"] = tree

    def _tree(self, body: bytes) -> Any:
        """A body in JSON; None for another form."""
        try:
            tree = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return None
        if self.recording.without_managed_fields and isinstance(tree, dict):
            for each in (tree, *(item for item in tree.get("items") or () if isinstance(item, dict))):
                if isinstance(each.get("metadata"), dict):
                    each["metadata"].pop("managedFields", None)
        return tree


def _user(user: User) -> Json:
    found: Json = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {name: list(values) for name, values in user.extra.items()}
    return found


def _addresses(call: Call) -> list[str]:
    client = call.scope.get("client")
    forwarded = [part.strip() for part in call.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    return list(dict.fromkeys([*forwarded, *([str(client[0])] if client else [])]))


def _reference(call: Call) -> Json:
    info = call.target
    names = {
        "resource": info.plural,
        "namespace": info.namespace,
        "name": info.name,
        "apiGroup": info.group,
        "apiVersion": info.version,
        "subresource": info.subresource,
    }
    return {name: value for name, value in names.items() if value}
